/**
 * Twenty instant queries that the dashboard of one host asks of node_exporter's metrics: its gauges, and the newest point of its graphs. `host`: the matchers
 * that choose it.
 */
export function nodeDashboard(host: string): readonly string[] {
  const of = (metric: string, more = ''): string => `${metric}{${host}${more}}`
  const cpu = (mode: string): string => of('node_cpu_seconds_total', mode)
  const memory = (field: string): string => of(`node_memory_${field}_bytes`)
  const cores = `count(count by (cpu) (${cpu('')}))`
  const disks = ',device=~"[a-z]+|nvme[0-9]+n[0-9]+|mmcblk[0-9]+"'
  const root = ',mountpoint="/",fstype!="rootfs"'
  return [
    // The row of gauges.
    `100 * (1 - avg by (instance) (rate(${cpu(',mode="idle"')}[5m])))`,
    `100 * scalar(${of('node_load1')}) / ${cores}`,
    `100 * (1 - ${memory('MemAvailable')} / ${memory('MemTotal')})`,
    `100 * (${memory('SwapTotal')} - ${memory('SwapFree')}) / ${memory('SwapTotal')}`,
    `100 - 100 * ${of('node_filesystem_avail_bytes', root)} / ${of('node_filesystem_size_bytes', root)}`,
    cores,
    `${of('node_time_seconds')} - ${of('node_boot_time_seconds')}`,
    memory('MemTotal'),
    // Processors.
    `sum by (mode) (irate(${cpu('')}[5m])) / on () group_left () ${cores}`,
    `100 * sum by (instance) (rate(${cpu(',mode=~"iowait|steal"')}[5m]))`,
    // The stack of memory.
    `${memory('MemTotal')} - ${memory('MemFree')} - (${memory('Cached')} + ${memory('Buffers')} + ${memory('SReclaimable')})`,
    `${memory('Cached')} + ${memory('Buffers')} + ${memory('SReclaimable')}`,
    // Network.
    `8 * rate(${of('node_network_receive_bytes_total', ',device!="lo"')}[5m])`,
    `8 * irate(${of('node_network_transmit_bytes_total', ',device!="lo"')}[5m])`,
    // Disks and file systems.
    `rate(${of('node_disk_reads_completed_total', disks)}[5m])`,
    `irate(${of('node_disk_written_bytes_total', disks)}[5m])`,
    `rate(${of('node_disk_io_time_seconds_total', ',device=~".+"')}[5m])`,
    `${of('node_filesystem_size_bytes', ',device!~"rootfs"')} - ${of('node_filesystem_avail_bytes', ',device!~"rootfs"')}`,
    // The system.
    `irate(${of('node_context_switches_total')}[5m]) + irate(${of('node_intr_total')}[5m])`,
    `{__name__=~"node_procs_(running|blocked)",${host}}`,
  ]
}

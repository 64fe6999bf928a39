import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createTestExporter, onlyCollector, scrapeTree, valueOf } from './test-exporter.ts'
import { unpackSmallTree } from './test-tree.ts'

// Odd cases of the collectors that read what the machine is made of; the usual ones are in the recorded trees.

test('DMI texts that are no UTF-8 are replaced, a run of bad bytes at once, and files that cannot be read are no labels', async () => {
  const { families } = await scrapeTree(
    'dmi',
    '== sys/class/dmi/id/sys_vendor\nx\n/ sys/class/dmi/id/product_serial\n== sys/class/dmi/id/uevent\nx\n',
    {
      prepare: (directory) => writeFileSync(`${directory}/sys/class/dmi/id/sys_vendor`, Buffer.from([0x41, 0xff, 0xfe, 0x42, 0xff, 10])),
    },
  )
  expect(families.get('node_dmi_info')!.samples.map(({ labels }) => labels)).toEqual([['system_vendor', 'A\ufffdB\ufffd']])
})

test('DMI information is read once', async () => {
  const trees = unpackSmallTree('== sys/class/dmi/id/bios_date\n01/02/2026\n')
  const exporter = createTestExporter({ ...trees.flags, ...onlyCollector('dmi') })
  try {
    await exporter.handleMetrics()
    rmSync(`${trees.directory}/sys`, { recursive: true })
    expect(Buffer.from((await exporter.handleMetrics()).body).toString()).toContain('node_dmi_info{bios_date="01/02/2026"} 1')
  } finally {
    await exporter.close()
    trees.remove()
  }
})

test('a platform without DMI has no data', async () => {
  expect(await scrapeTree('dmi', '/ sys/class\n')).toMatchObject({ isSuccess: false, samples: [] })
})

test('zones without a temperature and cooling devices without a state are left out', async () => {
  const tree = `== sys/class/thermal/thermal_zone0/type
acpitz
== sys/class/thermal/thermal_zone0/temp
27800
== sys/class/thermal/thermal_zone1/type
iwlwifi_1
/ sys/class/thermal/thermal_zone1/temp
== sys/class/thermal/thermal_zone10/temp
-1
== sys/class/thermal/cooling_device0/type
Fan
== sys/class/thermal/cooling_device0/max_state
1
== sys/class/thermal/thermal_zoneX/temp
5
`
  const { isSuccess, samples } = await scrapeTree('thermal_zone', tree)
  expect(isSuccess).toBe(true)
  expect(samples).toEqual(['node_thermal_zone_temp{type="",zone="10"} -0.001', 'node_thermal_zone_temp{type="acpitz",zone="0"} 27.8'])
  expect((await scrapeTree('thermal_zone', '/ sys\n')).isSuccess).toBe(true)
})

test('power supplies are ignored by name, and their texts may be anything', async () => {
  const tree =
    '== sys/class/power_supply/BAT0/model_name\nx\n== sys/class/power_supply/BAT0/capacity\nfull\n== sys/class/power_supply/AC/online\n1\n'
  const prepare = (directory: string): void => {
    writeFileSync(`${directory}/sys/class/power_supply/BAT0/model_name`, Buffer.from([0x4c, 0x80, 0x81, 10]))
    mkdirSync(`${directory}/sys/class/power_supply/BAT0/status`)
  }
  const { isSuccess, samples } = await scrapeTree('powersupplyclass', tree, { prepare })
  expect(isSuccess).toBe(true)
  expect(samples).toEqual([
    'node_power_supply_info{power_supply="AC"} 1',
    'node_power_supply_info{model_name="L\ufffd",power_supply="BAT0"} 1',
    'node_power_supply_online{power_supply="AC"} 1',
  ])
  const ignored = await scrapeTree('powersupplyclass', tree, { prepare, flags: { 'collector.powersupply.ignored-supplies': '^BAT' } })
  expect(ignored.samples).toEqual(['node_power_supply_info{power_supply="AC"} 1', 'node_power_supply_online{power_supply="AC"} 1'])
  expect((await scrapeTree('powersupplyclass', '/ sys/class\n')).isSuccess).toBe(false)
})

test('memory controllers without counters are left out, and the ones with them sorted by their names', async () => {
  const tree = `== sys/devices/system/edac/mc/mc1/ce_count
3
/ sys/devices/system/edac/mc/mc0
== sys/devices/system/edac/mc/mc10/ce_count
half a numb
== sys/devices/system/edac/mc/mc1/csrow10/ce_count
1
== sys/devices/system/edac/mc/mc1/csrow2/ce_count
2
== sys/devices/system/edac/mc/mc1/csrow2/ch0_ce_count
4
== sys/devices/system/edac/mc/power/ce_count
9
`
  expect((await scrapeTree('edac', tree)).samples).toEqual([
    'node_edac_channel_correctable_errors_total{channel="0",controller="1",csrow="2",dimm_label="unknown"} 4',
    'node_edac_correctable_errors_total{controller="1"} 3',
    'node_edac_csrow_correctable_errors_total{controller="1",csrow="10"} 1',
    'node_edac_csrow_correctable_errors_total{controller="1",csrow="2"} 2',
  ])
  expect((await scrapeTree('edac', '/ sys\n')).isSuccess).toBe(true)
})

test('NVMe namespaces are seen through their paths, sized in sectors, and without use where the kernel does not say', async () => {
  const tree = `== sys/class/nvme/nvme3/state
live
== sys/class/nvme/nvme3/nvme0c3n7/size
1000
== sys/class/nvme/nvme3/nvme0c3n7/nsid
12
== sys/class/nvme/nvme3/nvme0c3n7/queue/logical_block_size
4096
== sys/class/nvme/nvme3/nvme0c3n7/ana_state
non-optimized
/ sys/class/nvme/nvme3/hwmon3
`
  const { families, samples } = await scrapeTree('nvme', tree)
  expect(valueOf(families, 'node_nvme_namespace_size_bytes', 'device', 'nvme3', 'nsid', '12')).toBe(512_000)
  expect(valueOf(families, 'node_nvme_namespace_logical_block_size_bytes', 'device', 'nvme3', 'nsid', '12')).toBe(4096)
  expect(families.has('node_nvme_namespace_used_bytes')).toBe(false)
  expect(samples).toContain('node_nvme_namespace_info{ana_state="non-optimized",device="nvme3",nsid="12"} 1')
  expect(samples).toContain('node_nvme_info{cntlid="",device="nvme3",firmware_revision="",model="",serial="",state="live"} 1')
  expect((await scrapeTree('nvme', '/ sys/class\n')).isSuccess).toBe(false)
})

const zone = (entry: string, name: string, microjoules: string): string =>
  `== sys/class/powercap/${entry}/name\n${name}\n== sys/class/powercap/${entry}/energy_uj\n${microjoules}\n`

test('power zones of one name are numbered, and all are one family where the zone is a label', async () => {
  const tree =
    zone('intel-rapl:0', 'package-1', '1500000') +
    zone('intel-rapl:0:0', 'core', '1') +
    zone('intel-rapl:1:0', 'core', '2') +
    zone('x', 'dram-a-0', '3')
  expect((await scrapeTree('rapl', tree)).samples).toEqual([
    'node_rapl_core_joules_total{index="0",path="/sys/class/powercap/intel-rapl:0:0"} 1e-06',
    'node_rapl_core_joules_total{index="1",path="/sys/class/powercap/intel-rapl:1:0"} 2e-06',
    'node_rapl_dram_a_0_joules_total{index="0",path="/sys/class/powercap/x"} 3e-06',
    'node_rapl_package_joules_total{index="1",path="/sys/class/powercap/intel-rapl:0"} 1.5',
  ])
  const labelled = await scrapeTree('rapl', tree, { flags: { 'collector.rapl.enable-zone-label': true } })
  expect(labelled.samples).toContain('node_rapl_joules_total{index="1",path="/sys/class/powercap/intel-rapl:0",rapl_zone="package"} 1.5')
  expect(labelled.samples).toHaveLength(4)
})

test('power zones that may not be read are no data', async () => {
  expect(await scrapeTree('rapl', '== sys/class/powercap/a/name\ncore\n/ sys/class/powercap/a/energy_uj\n')).toMatchObject({
    isSuccess: false,
    samples: [],
  })
  expect((await scrapeTree('rapl', '/ sys/class\n')).isSuccess).toBe(false)
})

test.each([
  ['enforcing', '1', 1, 1],
  ['permissive', '0', 0, 0],
  ['disabled', '', -1, -1],
])('SELinux that is configured %s and runs with %j', async (configured, enforce, configMode, currentMode) => {
  const tree = `== sys/fs/selinux/enforce
${enforce}
== proc/self/attr/current
system_u:system_r:unconfined_t:s0
== rootfs/etc/selinux/config
# SELINUX=disabled
SELINUX = ${configured}
SELINUXTYPE=targeted
`
  expect((await scrapeTree('selinux', tree)).samples).toEqual([
    `node_selinux_config_mode ${configMode}`,
    `node_selinux_current_mode ${currentMode}`,
    'node_selinux_enabled 1',
  ])
})

test('SELinux is off where its file system is not there, or no policy is loaded', async () => {
  expect((await scrapeTree('selinux', '/ sys/fs\n')).samples).toEqual(['node_selinux_enabled 0'])
  const early = '== sys/fs/selinux/enforce\n1\n== proc/self/attr/current\nkernel\n'
  expect((await scrapeTree('selinux', early)).samples).toEqual(['node_selinux_enabled 0'])
})

test('frequencies that the kernel lacks or the CPU does not tell are left out', async () => {
  const tree = `== sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq
<unknown>
== sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq
2400000
== sys/devices/system/cpu/cpu1/topology/core_id
1
== sys/devices/system/cpu/cpu10/cpufreq/scaling_governor
schedutil
== sys/devices/system/cpu/cpu10/cpufreq/scaling_available_governors
userspace schedutil
`
  const { isSuccess, samples } = await scrapeTree('cpufreq', tree)
  expect(isSuccess).toBe(true)
  expect(samples).toEqual([
    'node_cpu_scaling_frequency_max_hertz{cpu="0"} 2.4e+09',
    'node_cpu_scaling_governor{cpu="10",governor="schedutil"} 1',
    'node_cpu_scaling_governor{cpu="10",governor="userspace"} 0',
  ])
  expect((await scrapeTree('cpufreq', '/ sys\n')).isSuccess).toBe(true)
})

test('lines of schedstat that are cut short are left out', async () => {
  const { samples } = await scrapeTree(
    'schedstat',
    '== proc/schedstat\nversion 17\ncpu0 0 0 0 0 0 0 1500000000 18446744073709551615 3\ncpu1 0 0 0\n',
  )
  expect(samples).toEqual([
    'node_schedstat_running_seconds_total{cpu="0"} 1.5',
    'node_schedstat_timeslices_total{cpu="0"} 3',
    'node_schedstat_waiting_seconds_total{cpu="0"} 1.8446744073709553e+10',
  ])
  expect((await scrapeTree('schedstat', '/ proc\n')).isSuccess).toBe(false)
})

test('hung tasks are a number', async () => {
  expect((await scrapeTree('kernel_hung', '== proc/sys/kernel/hung_task_detect_count\n0\n')).samples).toEqual([
    'node_kernel_hung_tasks_total 0',
  ])
  expect((await scrapeTree('kernel_hung', '== proc/sys/kernel/hung_task_detect_count\nx\n')).isSuccess).toBe(false)
  expect((await scrapeTree('kernel_hung', '/ proc\n')).isSuccess).toBe(false)
})

test('a watchdog shows what its driver has', async () => {
  expect((await scrapeTree('watchdog', '== sys/class/watchdog/watchdog0/timeout\n60\n')).samples).toEqual([
    'node_watchdog_info{identity="",name="watchdog0",options="",pretimeout_governor="",state="",status=""} 1',
    'node_watchdog_timeout_seconds{name="watchdog0"} 60',
  ])
  expect((await scrapeTree('watchdog', '/ sys/class\n')).isSuccess).toBe(false)
})

test.each([
  ['none', '', ['{core="",cpu="0",package=""} 2.2e+09', '{core="3",cpu="1",package="0"} 1.8e+09']],
  ['one, which comes from the other collector', '== sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_cur_freq\n800000\n', []],
])('--collector.cpu.info shows frequencies of /proc/cpuinfo where /sys has %s', async (_, tree, expected) => {
  const cpus = 'processor : 0\ncpu MHz : 2200.000\n\nprocessor : 1\ncore id : 3\nphysical id : 0\ncpu MHz : 1800.000\n'
  const { samples } = await scrapeTree('cpu', `${tree}== proc/stat\ncpu0 1 1 1 1 1 1 1 1 1 1\n== proc/cpuinfo\n${cpus}`, {
    flags: { 'collector.cpu.info': true, 'collector.cpufreq': true },
  })
  const shown = samples.filter((sample) => sample.startsWith('node_cpu_frequency_hertz{c') && sample.includes('core='))
  expect(shown).toEqual(expected.map((sample) => `node_cpu_frequency_hertz${sample}`))
})

test('chips of one device are told apart by their own names, and those of one name by their numbers', async () => {
  const chip = (number: number, name: string): string =>
    `== sys/devices/platform/asus.1/hwmon/hwmon${number}/name\n${name}\n` +
    `== sys/devices/platform/asus.1/hwmon/hwmon${number}/temp1_input\n${number}000\n` +
    `-> sys/devices/platform/asus.1/hwmon/hwmon${number}/device ../..\n` +
    `-> sys/class/hwmon/hwmon${number} ../../devices/platform/asus.1/hwmon/hwmon${number}\n`
  const tree = chip(0, 'asus') + chip(1, 'asus_wmi') + chip(2, 'twin') + chip(3, 'twin')
  const { samples } = await scrapeTree('hwmon', tree, { flags: { 'collector.hwmon.chip-exclude': '.*_asus_wmi' } })
  expect(samples.filter((sample) => sample.startsWith('node_hwmon_temp_celsius'))).toEqual([
    'node_hwmon_temp_celsius{chip="platform_asus_1_asus",sensor="temp1"} 0',
    'node_hwmon_temp_celsius{chip="platform_asus_1_hwmon2",sensor="temp1"} 2',
    'node_hwmon_temp_celsius{chip="platform_asus_1_hwmon3",sensor="temp1"} 3',
  ])
})

test('a clock is named by its label in lower case, its other files are shown as they are', async () => {
  const chip = 'sys/class/hwmon/hwmon0/'
  const files = { name: 'gpu', freq1_input: '1500000000', freq1_label: 'Memory Clock', freq1_max: '7', freq2_input: '1' }
  const tree = Object.entries(files).map(([name, text]) => `== ${chip}${name}\n${text}\n`)
  const { samples } = await scrapeTree('hwmon', tree.join(''))
  expect(samples).toEqual([
    'node_hwmon_chip_names{chip="gpu",chip_name="gpu"} 1',
    'node_hwmon_freq_freq_mhz{chip="gpu",sensor="memory_clock"} 1500',
    'node_hwmon_freq_max{chip="gpu",sensor="freq1"} 7',
    'node_hwmon_sensor_label{chip="gpu",label="Memory Clock",sensor="freq1"} 1',
  ])
})

test.each([
  ['SCSI_IDENT_SERIAL', 'E:SCSI_IDENT_SERIAL=a\nE:ID_SERIAL_SHORT=b\nE:ID_SERIAL=c\n', 'a'],
  ['ID_SERIAL_SHORT', 'E:SCSI_IDENT_SERIAL=\nE:ID_SERIAL_SHORT=b\nE:ID_SERIAL=c\n', 'b'],
  ['ID_SERIAL', 'E:ID_SERIAL=c\n', 'c'],
])('the serial of a disk is %s', async (_, properties, serial) => {
  const tree = `== proc/diskstats\n254 0 vda 1 1 1 1 1 1 1 1 1 1 1\n== udev/b254:0\n${properties}`
  const { families } = await scrapeTree('diskstats', tree)
  expect(families.get('node_disk_info')?.samples[0]?.labels).toEqual(expect.arrayContaining(['serial', serial]))
})

test('pressure of one resource is shown without the others; without any there is no data', async () => {
  const line = 'full avg10=0.00 avg60=0.00 avg300=0.00 total=3000000\n'
  const irqAlone = await scrapeTree('pressure', `== proc/pressure/irq\n${line}`)
  expect(irqAlone.samples).toEqual(['node_pressure_irq_stalled_seconds_total 3'])
  expect(irqAlone.isSuccess).toBe(true)
  expect((await scrapeTree('pressure', '/ proc\n')).isSuccess).toBe(false)
})

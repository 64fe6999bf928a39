import { findViolations } from '@narthex/exporter-kit/conformance'
import { readInventory } from '@narthex/exporter-kit/inventory'
import { rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { collectorFactories } from './collectors.ts'
import { optionalCollectorFactories } from './optional-collectors.ts'
import { collectText, createEnvironment } from './test-collect.ts'
import { createTestExporter, scrapeOnce } from './test-exporter.ts'
import { unpackTestTrees, type TestTrees } from './test-tree.ts'

/** Collectors that read nothing but files below --path.procfs and --path.sysfs. */
const fileCollectors = (
  'buddyinfo cgroups cpu_vulnerabilities drbd drm interrupts ksmd lnstat meminfo_numa mountstats nvmesubsystem pcidevice processes ' +
  'slabinfo softirqs swap sysctl xfrm zoneinfo'
).split(' ')

let trees: TestTrees
beforeAll(() => {
  trees = unpackTestTrees('optional')
})
afterAll(() => trees.remove())

const sysctlFlags = {
  'collector.sysctl.include': ['fs.file-nr', 'fs.file-nr:total,current,max', 'vm.swappiness', 'kernel.threads-max'],
  'collector.sysctl.include-info': ['kernel.seccomp.actions_avail', 'vm.swappiness'],
}

function treeFlags(): Record<string, unknown> {
  const switches = Object.fromEntries(fileCollectors.map((name) => [`collector.${name}`, true]))
  const pciFlags = { 'collector.pcidevice.names': true, 'collector.pcidevice.idsfile': `${trees.directory}/rootfs/pci.ids` }
  return {
    'collector.disable-defaults': true,
    'web.disable-exporter-metrics': true,
    ...trees.flags,
    ...switches,
    ...sysctlFlags,
    ...pciFlags,
  }
}

test('the families of the test trees are those recorded', async () => {
  const text = await scrapeOnce(treeFlags())
  const stable = text
    .replace(/^(node_scrape_collector_duration_seconds\{.*\}) .*$/gm, '$1 …')
    .replace(/^node_exporter_build_info\{.*$/m, 'node_exporter_build_info …')
  await expect(stable).toMatchFileSnapshot(fileURLToPath(new URL('../testdata/optional/families.txt', import.meta.url)))
})

test('every family of these collectors that the original has is there', async () => {
  const names = new Set([...(await scrapeOnce(treeFlags())).matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]))
  const missing = readInventory('node')!
    .filter(({ collector, metric, source }) => fileCollectors.includes(collector) && source !== 'live' && !names.has(metric))
    .map(({ metric }) => metric)
  // lnstat and meminfo_numa name their families after columns and fields: the trees have some.
  expect(missing.filter((metric) => !/^node_(lnstat|memory_numa)_/.test(metric))).toEqual([])
})

describe.each([
  ['this machine', () => ({})],
  ['the test trees', () => trees.flags],
])('on %s', (_, flags) => {
  test('the exporter with all collectors conforms and has only families, types and labels of the original', async () => {
    const switches = Object.fromEntries([...optionalCollectorFactories.keys()].map((name) => [`collector.${name}`, true]))
    const exporter = createTestExporter({ ...flags(), ...switches, ...sysctlFlags })
    const violations = await findViolations(exporter, {
      collector: 'processes',
      inventory: readInventory('node')!,
      isDynamicName: (name) => /^node_(hwmon|zfs|lnstat|memory_numa|ethtool|sysctl)_/.test(name),
    })
    await exporter.close()
    expect(violations).toEqual([])
  })
})

test('collectors that are off stay off until their flag is given, and go off again with --no-collector.NAME', () => {
  expect(createTestExporter({}).collectorNames).toEqual([...collectorFactories.keys()])
  expect(createTestExporter({ 'collector.disable-defaults': true, 'collector.swap': true }).collectorNames).toEqual(['swap'])
  expect(createTestExporter({ 'collector.swap': false }).collectorNames).not.toContain('swap')
  expect(createTestExporter({ 'collector.ksmd': true }).collectorNames.at(-1)).toBe('textfile')
})

test('every collector of the original that is off by default can be switched on', () => {
  const rows = readInventory('node')!.filter(({ collector }) => !/^(exporter|self\..*)$/.test(collector))
  const defaults = new Set(rows.filter(({ isDefault }) => isDefault).map(({ collector }) => collector))
  const optional = new Set(rows.map(({ collector }) => collector).filter((name) => !defaults.has(name)))
  expect([...optional].sort()).toEqual([...optionalCollectorFactories.keys()].sort())
})

test('collect[] can name a collector that is off, and gets nothing', async () => {
  const exporter = createTestExporter({ 'collector.disable-defaults': true, 'collector.loadavg': true })
  const { status } = await exporter.handleMetrics({ query: new URLSearchParams('collect[]=swap') })
  expect(status).toBe(400)
})

describe('a file that is not as the kernel prints it', () => {
  let copies: TestTrees
  beforeEach(() => {
    copies = unpackTestTrees('optional')
    return () => copies.remove()
  })

  async function run(name: string): Promise<string> {
    const flags = { ...copies.flags, ...sysctlFlags }
    return collectText(optionalCollectorFactories.get(name)!(createEnvironment(flags)))
  }

  test.each([
    ['processes', 'proc/1/stat', '1 (init', 'want a state and 17 more fields'],
    ['processes', 'proc/sys/kernel/pid_max', 'many\n', 'want a number, got "many"'],
    ['interrupts', 'proc/interrupts', '', 'want a line of CPUs, got nothing'],
    ['interrupts', 'proc/interrupts', ' CPU0\n 1: x IO-APIC\n', 'want a number for 1, got "x"'],
    ['softirqs', 'proc/softirqs', ' CPU0\n HI: 0x1\n', 'want a number for HI, got "0x1"'],
    ['swap', 'proc/swaps', 'Filename\n/dev/a partition 1 2\n', 'want a device, a type and three numbers, got "/dev/a partition 1 2"'],
    ['cgroups', 'proc/cgroups', 'cpu 1 2\n', 'want three numbers for cpu'],
    ['buddyinfo', 'proc/buddyinfo', 'Node 0\n', 'want a node and a zone, got "Node 0"'],
    ['buddyinfo', 'proc/buddyinfo', 'Node 0, zone DMA 1 x\n', 'want a number for DMA, got "x"'],
    ['slabinfo', 'proc/slabinfo', 'kmalloc-8 1 2 3\n', 'want five numbers for kmalloc-8'],
    ['sysctl', 'proc/sys/kernel/threads-max', 'a\n', 'want integers, got "a"'],
    ['sysctl', 'proc/sys/kernel/threads-max', '\n', 'want a value, got none'],
    ['sysctl', 'proc/sys/fs/file-nr', '1 2\n', 'want 3 values (total,current,max), got 2'],
    ['zoneinfo', 'proc/zoneinfo', 'min 5\n', 'want a zone first, got "min"'],
    ['meminfo_numa', 'sys/devices/system/node/node0/meminfo', 'Node 0 MemTotal: 5 MB\n', 'want a number and kB or no unit'],
    ['meminfo_numa', 'sys/devices/system/node/node0/numastat', 'numa_hit -\n', 'want a number for numa_hit, got "-"'],
    ['ksmd', 'sys/kernel/mm/ksm/run', '\n', 'want a number, got ""'],
    ['lnstat', 'proc/net/stat/wide', 'a b\n1\n', 'want 2 numbers in a line, got fewer'],
    ['lnstat', 'proc/net/stat/wide', 'a\nxyz\n', 'want a number for a, got "xyz"'],
    ['xfrm', 'proc/net/xfrm_stat', 'XfrmInError\n', 'want a number for XfrmInError'],
    ['drbd', 'proc/drbd', ' 0: cs:x\n ns:many\n', 'want a number for ns, got "many"'],
    ['pcidevice', 'sys/devices/pci0000:00/0000:00:02.1/vendor', 'x\n', 'want a number in vendor, got "x"'],
    [
      'mountstats',
      'proc/10/mountstats',
      'device a:/b mounted on /m with fstype nfs statvers=1.1\n bytes: 1 2\n',
      'want 8 numbers, got "bytes: 1 2"',
    ],
    [
      'mountstats',
      'proc/10/mountstats',
      'device a:/b mounted on /m with fstype nfs statvers=1.1\n xprt: quic 1\n',
      'want protocol tcp, udp or rdma of version 1.0 or 1.1, got quic 1.1',
    ],
    [
      'mountstats',
      'proc/10/mountstats',
      'device a:/b mounted on /m with fstype nfs statvers=1.0\n xprt: tcp 1\n',
      'want 10 numbers for tcp 1.0, got 1',
    ],
  ])('costs %s: %s', async (name, file, content, reason) => {
    writeFileSync(`${copies.directory}/${file}`, content)
    await expect(run(name)).rejects.toThrow(reason)
  })

  test.each(['drbd', 'ksmd', 'nvmesubsystem', 'pcidevice', 'xfrm'])('%s without its subject has no data', async (name) => {
    rmSync(`${copies.directory}/proc`, { recursive: true })
    rmSync(`${copies.directory}/sys`, { recursive: true })
    await expect(run(name)).rejects.toThrow(expect.objectContaining({ name: 'NoDataError' }))
  })

  test('one sysctl that cannot be read does not cost the others', async () => {
    rmSync(`${copies.directory}/proc/sys/fs/file-nr`)
    const exporter = createTestExporter({ ...copies.flags, ...sysctlFlags, 'collector.disable-defaults': true, 'collector.sysctl': true })
    const text = Buffer.from((await exporter.handleMetrics()).body).toString()
    expect(text).toContain('\nnode_sysctl_vm_swappiness -5\n')
    expect(text).toContain('node_scrape_collector_success{collector="sysctl"} 0')
  })

  test('texts cannot be named by keys', async () => {
    const flags = { ...copies.flags, 'collector.sysctl.include-info': ['kernel.seccomp.actions_avail:a,b,c'] }
    const collector = optionalCollectorFactories.get('sysctl')!(createEnvironment(flags))
    await expect(collectText(collector)).rejects.toThrow('want numbers (--collector.sysctl.include), got texts')
  })
})

test('a card that takes the place of another is read anew', async () => {
  const copies = unpackTestTrees('optional')
  const collector = optionalCollectorFactories.get('pcidevice')!(createEnvironment(copies.flags))
  const device = `${copies.directory}/sys/devices/pci0000:00/0000:00:02.1/0000:01:00.0`
  const vendors = async (): Promise<string[]> =>
    [...(await collectText(collector)).matchAll(/ vendor_id="(\w+)"|,vendor_id="(\w+)"/g)].map((match) => match[2]!)
  expect(await vendors()).toEqual(['0x1022', '0xc0a9'])
  writeFileSync(`${device}/vendor`, '0x8086\n')
  expect(await vendors()).toEqual(['0x1022', '0xc0a9'])
  rmSync(device, { recursive: true })
  const fresh = unpackTestTrees('optional')
  const { cpSync } = await import('node:fs')
  cpSync(`${fresh.directory}/sys/devices/pci0000:00/0000:00:02.1/0000:01:00.0`, device, { recursive: true })
  writeFileSync(`${device}/vendor`, '0x8086\n')
  expect(await vendors()).toEqual(['0x1022', '0x8086'])
  fresh.remove()
  copies.remove()
})

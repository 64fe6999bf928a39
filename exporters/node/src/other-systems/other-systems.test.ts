import { findViolations } from '@narthex/exporter-kit/conformance'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { createLogger } from '@narthex/service/logger'
import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'
import { parseText, createTestExporter, scrapeOnce, valueOf } from '../test-exporter.ts'
import { unpackSmallTree } from '../test-tree.ts'
import { parseBlockStorage } from './block-storage.ts'
import { parseInterfaceStatistics } from './interface-statistics.ts'
import { thisMachine, type Machine, type SystemLibrary } from './machine.ts'
import { SharedAnswer } from './shared-answer.ts'
import { parseVmStatistics } from './vm-statistics.ts'

// No Mac and no Windows was there to be asked. The answers of the library have the shapes of its own types (the type check compares them), and
// the last tests ask the real library on this machine; what programs of macOS print is written after their manual pages.

const vmStatistics = `Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                                4101.
Pages active:                            250123.
Pages inactive:                          248000.
Pages speculative:                         1500.
Pages throttled:                              0.
Pages wired down:                        101000.
Pages purgeable:                            700.
"Translation faults":                 987654321.
Pages copy-on-write:                   12345678.
File-backed pages:                       150000.
Anonymous pages:                         349623.
Pages stored in compressor:              600000.
Pages occupied by compressor:            200000.
Pageins:                                5000000.
Pageouts:                                 20000.
Swapins:                                      0.
Swapouts:                                     0.
`

const driver = (statistics: string, ...names: readonly string[]): string =>
  `+-o IOBlockStorageDriver  <class IOBlockStorageDriver, id 0x1000003a8, registered, matched, active>
  | {
  |   "IOClass" = "IOBlockStorageDriver"
  |   "Statistics" = {${statistics}}
  | }
${names.map((name) => `    |   "Preferred Block Size" = 4096\n    |   "BSD Name" = "${name}"\n`).join('')}`

const statistics =
  '"Operations (Write)"=100,"Latency Time (Write)"=0,"Bytes (Read)"=81920,"Errors (Write)"=1,"Total Time (Read)"=2500000000,' +
  '"Latency Time (Read)"=0,"Retries (Read)"=2,"Errors (Read)"=3,"Total Time (Write)"=500000000,"Bytes (Write)"=40960,' +
  '"Operations (Read)"=200,"Retries (Write)"=4'

const registry = driver(statistics, 'disk4', 'disk4s1') + driver(statistics.replace('=81920', '=4096'), 'disk0', 'disk0s1', 'disk0s2')

const network = {
  operstate: 'up',
  rx_sec: 0,
  tx_sec: 0,
  ms: 1000,
  rx_bytes: 0,
  rx_dropped: 0,
  rx_errors: 0,
  tx_bytes: 0,
  tx_dropped: 0,
  tx_errors: 0,
}

const interfaces = `Name       Mtu   Network       Address            Ipkts Ierrs     Ibytes    Opkts Oerrs     Obytes  Coll Drop
lo0        16384 <Link#1>                           100     0      20000      100     0      20000     0   0
lo0        16384 127           127.0.0.1            100     -      20000      100     -      20000     -   -
lo0        16384 ::1/128     ::1                    100     -      20000      100     -      20000     -   -
gif0*      1280  <Link#2>                             0     0          0        0     0          0     0   0
en0        1500  <Link#4>    aa:bb:cc:dd:ee:ff      300     1 5000000000      200     2      30000     3   4
en0        1500  192.168.1     192.168.1.5          300     - 5000000000      200     -      30000     -   -
`

const darwinLibrary: SystemLibrary = {
  mem: async () => ({ ...memory, swaptotal: 2 ** 31, swapused: 2 ** 30, swapfree: 2 ** 30 }),
  fsSize: async () => [
    { fs: '/dev/disk3s1s1', type: 'APFS', size: 5e11, used: 1e10, available: 3e11, use: 2, mount: '/', rw: false },
    { fs: 'server:/export', type: 'NFS', size: 5e11, used: 1e10, available: 3e11, use: 2, mount: '/tmp', rw: false },
    { fs: '/dev/disk5', type: 'exfat', size: 5e11, used: 1e10, available: 3e11, use: 2, mount: '/no/such/place', rw: true },
    { fs: '/dev/disk6', type: 'apfs', size: 5e11, used: 1e10, available: 3e11, use: 2, mount: '/dev/left-out', rw: true },
  ],
  networkStats: () => Promise.reject(new Error('macOS is not asked for it')),
  osInfo: () => Promise.reject(new Error('macOS is not asked for it')),
}

const memory = {
  ...{ total: 0, free: 0, used: 0, active: 0, available: 0, buffcache: 0, buffers: 0, cached: 0, slab: 0, reclaimable: 0 },
  ...{ swaptotal: 0, swapused: 0, swapfree: 0, writeback: null, dirty: null },
}

const system: Machine['system'] = {
  ...thisMachine.system,
  cpus: () => [
    { model: 'Apple M2', speed: 2400, times: { user: 10_010, nice: 0, sys: 5_000, idle: 90_000, irq: 0 } },
    { model: 'Apple M2', speed: 2400, times: { user: 20, nice: 10, sys: 30, idle: 40, irq: 50 } },
  ],
  loadavg: () => [1.5, 2, 2.25],
  totalmem: () => 16 * 2 ** 30,
  freemem: () => 5601 * 16384,
  uptime: () => 3600,
  hostname: () => 'mac.example.org',
  machine: () => 'arm64',
  release: () => '24.1.0',
  type: () => 'Darwin',
  version: () => 'Darwin Kernel Version 24.1.0',
  networkInterfaces: () => ({ lo0: [], en0: [] }),
}

const mac: Machine = {
  platform: 'darwin',
  system,
  library: () => Promise.resolve(darwinLibrary),
  run: (program) =>
    Promise.resolve({ '/usr/bin/vm_stat': vmStatistics, '/usr/sbin/ioreg': registry, '/usr/sbin/netstat': interfaces }[program]!),
}

const windows: Machine = {
  platform: 'win32',
  system: { ...system, hostname: () => 'DESKTOP', type: () => 'Windows_NT', release: () => '10.0.22631', version: () => 'Windows 11 Pro' },
  library: () =>
    Promise.resolve({
      ...darwinLibrary,
      fsSize: async () => [{ fs: 'C:', type: 'NTFS', size: 5e11, used: 2e11, available: 3e11, use: 40, mount: 'C:', rw: true }],
      networkStats: async (names) => [{ ...network, iface: `Ethernet ${names}`, rx_bytes: 5, rx_dropped: 6 }],
      osInfo: async () => ({ ...osInfo, distro: 'Microsoft Windows 11 Pro', release: '10.0.22631', build: '22631' }),
    }),
  run: (program) => Promise.reject(new Error(`Windows has no ${program}`)),
}

const osInfo = {
  ...{ platform: 'Windows', distro: '', release: '', codename: '', kernel: '', arch: 'x64', hostname: '', fqdn: '', codepage: '' },
  ...{ logofile: '', serial: '', build: '', servicepack: '', uefi: true },
}

const quiet: FlagValues = { 'web.disable-exporter-metrics': true, 'path.sysfs': '/no/such/place' }
const nowMs = (): number => 1_700_000_000_123

async function samplesOf(machine: Machine, flags: FlagValues = {}): Promise<string[]> {
  const text = await scrapeOnce({ ...quiet, ...flags }, { machine, nowMs })
  return text.split('\n').filter((line) => line !== '' && !/^#|^node_(exporter_build|scrape_collector_duration|time_zone)_/.test(line))
}

describe('on macOS', () => {
  test('the samples are those of its node_exporter', async () => {
    const tree = unpackSmallTree(
      '== System/Library/CoreServices/SystemVersion.plist\n<plist><dict>\n<key>ProductBuildVersion</key>\n<string>24B83</string>\n' +
        '<key>ProductName</key><string>macOS</string>\n<key>ProductVersion</key>\n<string>15.1.1</string>\n</dict></plist>\n',
    )
    const samples = await samplesOf(mac, { 'path.rootfs': tree.directory, 'collector.netdev.device-exclude': '^lo' })
    tree.remove()
    expect(samples.filter((line) => !/^node_filesystem_(avail|free|size|files)/.test(line))).toEqual([
      'node_boot_time_seconds 1.6999964e+09',
      'node_cpu_seconds_total{cpu="0",mode="idle"} 90',
      'node_cpu_seconds_total{cpu="0",mode="nice"} 0',
      'node_cpu_seconds_total{cpu="0",mode="system"} 5',
      'node_cpu_seconds_total{cpu="0",mode="user"} 10.01',
      'node_cpu_seconds_total{cpu="1",mode="idle"} 0.04',
      'node_cpu_seconds_total{cpu="1",mode="nice"} 0.01',
      'node_cpu_seconds_total{cpu="1",mode="system"} 0.03',
      'node_cpu_seconds_total{cpu="1",mode="user"} 0.02',
      ...disk('read_bytes_total', 4096, 81920),
      ...disk('read_errors_total', 3, 3),
      ...disk('read_retries_total', 2, 2),
      ...disk('read_sectors_total', 1, 20),
      ...disk('read_time_seconds_total', 2.5, 2.5),
      ...disk('reads_completed_total', 200, 200),
      ...disk('write_errors_total', 1, 1),
      ...disk('write_retries_total', 4, 4),
      ...disk('write_time_seconds_total', 0.5, 0.5),
      ...disk('writes_completed_total', 100, 100),
      ...disk('written_bytes_total', 40960, 40960),
      ...disk('written_sectors_total', 10, 10),
      'node_filesystem_device_error{device="/dev/disk3s1s1",device_error="",fstype="apfs",mountpoint="/"} 0',
      'node_filesystem_device_error{device="/dev/disk5",device_error="no such file or directory",fstype="exfat",mountpoint="/no/such/place"} 1',
      'node_filesystem_device_error{device="server:/export",device_error="",fstype="nfs",mountpoint="/tmp"} 0',
      'node_filesystem_mount_info{device="/dev/disk3s1s1",major="",minor="",mountpoint="/"} 1',
      'node_filesystem_mount_info{device="server:/export",major="",minor="",mountpoint="/tmp"} 1',
      'node_filesystem_readonly{device="/dev/disk3s1s1",device_error="",fstype="apfs",mountpoint="/"} 1',
      'node_filesystem_readonly{device="/dev/disk5",device_error="no such file or directory",fstype="exfat",mountpoint="/no/such/place"} 0',
      'node_filesystem_readonly{device="server:/export",device_error="",fstype="nfs",mountpoint="/tmp"} 0',
      'node_load1 1.5',
      'node_load15 2.25',
      'node_load5 2',
      'node_memory_active_bytes 4.098015232e+09',
      'node_memory_compressed_bytes 3.2768e+09',
      'node_memory_free_bytes 9.1766784e+07',
      'node_memory_inactive_bytes 4.063232e+09',
      'node_memory_internal_bytes 5.728223232e+09',
      'node_memory_purgeable_bytes 1.14688e+07',
      'node_memory_swap_total_bytes 2.147483648e+09',
      'node_memory_swap_used_bytes 1.073741824e+09',
      'node_memory_swapped_in_bytes_total 8.192e+10',
      'node_memory_swapped_out_bytes_total 3.2768e+08',
      'node_memory_total_bytes 1.7179869184e+10',
      'node_memory_wired_bytes 1.654784e+09',
      ...device('receive_bytes', 5e9, 0),
      ...device('receive_errs', 1, 0),
      ...device('receive_packets', 300, 0),
      ...device('transmit_bytes', 30_000, 0),
      ...device('transmit_colls', 3, 0),
      ...device('transmit_errs', 2, 0),
      ...device('transmit_packets', 200, 0),
      'node_os_info{build_id="24B83",id="",id_like="",image_id="",image_version="",name="macOS",pretty_name="",variant="",variant_id="",version="15.1.1",version_codename="",version_id="15.1.1"} 1',
      'node_os_version{id="",id_like="",name="macOS"} 15.1',
      ...['boottime', 'cpu', 'diskstats', 'filesystem', 'loadavg', 'meminfo', 'netdev', 'os', 'textfile', 'time', 'uname'].map(
        (name) => `node_scrape_collector_success{collector="${name}"} 1`,
      ),
      'node_textfile_scrape_error 0',
      'node_time_seconds 1.700000000123e+09',
      'node_uname_info{domainname="example.org",machine="arm64",nodename="mac",release="24.1.0",sysname="Darwin",version="Darwin Kernel Version 24.1.0"} 1',
    ])
    // Those of statfs(2), not of the library.
    const sizes = samples.filter((line) => line.startsWith('node_filesystem_size_bytes'))
    expect(sizes.map((line) => /mountpoint="([^"]*)"/.exec(line)![1])).toEqual(['/', '/tmp'])
    expect(sizes.join()).not.toContain(' 5e+11')
  })

  test('collectors are switched as on Linux, and those of Linux are unknown', async () => {
    const samples = await samplesOf(mac, { 'collector.disable-defaults': true, 'collector.boottime': true })
    expect(samples).toEqual(['node_boot_time_seconds 1.6999964e+09', 'node_scrape_collector_success{collector="boottime"} 1'])
    expect(createTestExporter({}, { machine: mac }).collectorNames).not.toContain('hwmon')
  })

  test('what cannot be asked costs its collector, which keeps what it had, and one line in the log', async () => {
    const lines: string[] = []
    const log = createLogger({ write: (line) => void lines.push(line), source: 'test' })
    const run = (program: string): Promise<string> => Promise.reject(new Error(`cannot run ${program}: ENOENT`))
    const exporter = createTestExporter(quiet, { machine: { ...mac, run }, log })
    await exporter.handleMetrics()
    const families = parseText(Buffer.from((await exporter.handleMetrics()).body).toString())
    expect(valueOf(families, 'node_scrape_collector_success', 'collector', 'meminfo')).toBe(0)
    expect(valueOf(families, 'node_scrape_collector_success', 'collector', 'diskstats')).toBe(0)
    expect(valueOf(families, 'node_scrape_collector_success', 'collector', 'netdev')).toBe(0)
    expect(valueOf(families, 'node_memory_swap_total_bytes')).toBe(2 ** 31)
    expect(lines.map((line) => /name=(\w+)/.exec(line)![1]).sort()).toEqual(['diskstats', 'meminfo', 'netdev'])
  })

  test('without the library what needs it is missing, and the reason is in the log', async () => {
    const lines: string[] = []
    const log = createLogger({ write: (line) => void lines.push(line), source: 'test' })
    const library = (): Promise<SystemLibrary> => Promise.reject(new Error('cannot load the package systeminformation'))
    const families = parseText(await scrapeOnce(quiet, { machine: { ...mac, library }, log }))
    const failed = families.get('node_scrape_collector_success')!.samples.filter(({ value }) => value === 0)
    expect(failed.map(({ labels }) => labels[1])).toEqual(['filesystem', 'meminfo'])
    expect(lines.filter((line) => line.includes('cannot load the package systeminformation'))).toHaveLength(2)
  })

  test('the exporter conforms', async () => {
    const exporter = createTestExporter({}, { machine: mac })
    expect(await findViolations(exporter, { collector: 'cpu' })).toEqual([])
    await exporter.close()
  })
})

test('on Windows there is what both systems have, with the numbers of the library', async () => {
  const samples = await samplesOf(windows)
  const labels = 'device="C:",device_error="",fstype="NTFS",mountpoint="C:"'
  expect(samples.filter((line) => /^node_(filesystem|network|os|memory|uname)|mode="(irq|nice)"/.test(line))).toEqual([
    `node_filesystem_avail_bytes{${labels}} 3e+11`,
    `node_filesystem_device_error{${labels}} 0`,
    `node_filesystem_free_bytes{${labels}} 3e+11`,
    'node_filesystem_mount_info{device="C:",major="",minor="",mountpoint="C:"} 1',
    `node_filesystem_readonly{${labels}} 0`,
    `node_filesystem_size_bytes{${labels}} 5e+11`,
    'node_memory_free_bytes 9.1766784e+07',
    'node_memory_swap_total_bytes 2.147483648e+09',
    'node_memory_swap_used_bytes 1.073741824e+09',
    'node_memory_total_bytes 1.7179869184e+10',
    'node_network_receive_bytes_total{device="Ethernet *"} 5',
    'node_network_receive_drop_total{device="Ethernet *"} 6',
    'node_network_receive_errs_total{device="Ethernet *"} 0',
    'node_network_transmit_bytes_total{device="Ethernet *"} 0',
    'node_network_transmit_drop_total{device="Ethernet *"} 0',
    'node_network_transmit_errs_total{device="Ethernet *"} 0',
    expect.stringContaining('build_id="22631",id="windows"'),
    'node_os_version{id="windows",id_like="",name="Microsoft Windows 11 Pro"} 10',
    expect.stringContaining('domainname="(none)",machine="arm64",nodename="DESKTOP",release="10.0.22631",sysname="Windows_NT"'),
  ])
  expect(samples.filter((line) => line.endsWith(' 0') && line.startsWith('node_scrape_collector_success'))).toEqual([])
  expect(samples.join()).not.toMatch(/node_load|node_disk/)
})

describe('the real library', () => {
  test('is not loaded where there is /proc', async () => {
    const loaded = (): boolean => Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('systeminformation'))
    await scrapeOnce({})
    expect(loaded()).toBe(false)
    await thisMachine.library()
    expect(loaded()).toBe(true)
  })

  test('answers on this machine with the shapes that are read', async () => {
    const families = parseText(await scrapeOnce(quiet, { machine: { ...thisMachine, platform: 'darwin', run: mac.run } }))
    const failed = families.get('node_scrape_collector_success')!.samples.filter(({ value }) => value !== 1)
    expect(failed.map(({ labels }) => labels[1])).toEqual([])
    expect(valueOf(families, 'node_memory_total_bytes')).toBeGreaterThan(2 ** 20)
    expect(families.get('node_memory_swap_total_bytes')!.samples[0]!.value).toBeGreaterThanOrEqual(0)
    expect(families.get('node_cpu_seconds_total')!.samples.length).toBeGreaterThan(3)
    const root = families.get('node_filesystem_size_bytes')!.samples.find(({ labels }) => labels.at(-1) === '/')
    expect(root!.value).toBeGreaterThan(2 ** 20)
    expect(Date.now() / 1000 - valueOf(families, 'node_boot_time_seconds')!).toBeGreaterThan(0)
  })

  test('answers with the shapes that are read of Windows', async () => {
    const families = parseText(await scrapeOnce(quiet, { machine: { ...thisMachine, platform: 'win32' } }))
    const failed = families.get('node_scrape_collector_success')!.samples.filter(({ value }) => value !== 1)
    expect(failed.map(({ labels }) => labels[1])).toEqual([])
    const loopback = families.get('node_network_receive_bytes_total')!.samples.find(({ labels }) => labels[1] === 'lo')
    expect(loopback!.value).toBeGreaterThanOrEqual(0)
    const root = families.get('node_filesystem_size_bytes')!.samples.find(({ labels }) => labels.at(-1) === '/')
    expect(root!.value).toBeGreaterThan(2 ** 20)
    expect(families.get('node_os_info')!.samples[0]!.labels).not.toContain(undefined)
  })
})

describe('programs of macOS', () => {
  test('a text without page size is refused', () => {
    expect(() => parseVmStatistics('usage: vm_stat')).toThrow('cannot read vm_stat: want a page size, got "usage: vm_stat"')
    expect(parseVmStatistics(vmStatistics).counts.get('Translation faults')).toBe(987654321)
  })

  test('only lines of links count, and a dash is no number', () => {
    const [only, ...others] = parseInterfaceStatistics(
      `${interfaces.split('\n')[2]}\nen1 1500 <Link#9> - - 7 8 - - 9 -\nen2 1500 <Link#10> 1 2\n`,
    )
    expect(only).toEqual({
      device: 'en1',
      counts: new Map([
        ['receive_bytes', 7],
        ['transmit_packets', 8],
        ['transmit_colls', 9],
      ]),
    })
    expect(others).toEqual([])
  })

  test('a driver without a medium, and one that counts nothing, is no disk', () => {
    expect(parseBlockStorage(driver(statistics) + driver('', 'disk1') + driver(statistics, 'disk2')).map(({ device }) => device)).toEqual([
      'disk2',
    ])
    expect(parseBlockStorage('')).toEqual([])
  })
})

test('scrapes that come together share an answer, and a failure is asked for again', async () => {
  let nowMs = 0
  let asked = 0
  let fails = true
  const answer = new SharedAnswer(
    () => (++asked, fails ? Promise.reject(new Error('no')) : Promise.resolve(asked)),
    1000,
    () => nowMs,
  )
  await expect(answer.get()).rejects.toThrow('no')
  fails = false
  expect(await Promise.all([answer.get(), answer.get()])).toEqual([2, 2])
  nowMs = 999
  expect(await answer.get()).toBe(2)
  nowMs = 1000
  expect(await answer.get()).toBe(3)
})

function device(name: string, en0: number, gif0: number): string[] {
  return [`node_network_${name}_total{device="en0"} ${en0 === 5e9 ? '5e+09' : en0}`, `node_network_${name}_total{device="gif0"} ${gif0}`]
}

function disk(name: string, disk0: number, disk4: number): string[] {
  return [`node_disk_${name}{device="disk0"} ${disk0}`, `node_disk_${name}{device="disk4"} ${disk4}`]
}

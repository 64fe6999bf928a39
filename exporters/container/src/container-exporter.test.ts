import { findViolations } from '@narthex/exporter-kit/conformance'
import { readInventory } from '@narthex/exporter-kit/inventory'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createEmbeddedContainer } from './embedded-container.ts'
import { containerExporterFlags } from './flags.ts'
import { metricKinds } from './metric-kinds.ts'
import { createMemoryLogger, createTestExporter, parseText, scrapeOnce, scrapeText, valuesBy } from './test-exporter.ts'
import { unpackTestTree, type TestTree } from './test-tree.ts'

const everything = metricKinds.join(',')
const nowMs = (): number => 1_700_000_000_123

let v1: TestTree
let v2: TestTree
const changed: TestTree[] = []
beforeAll(() => {
  v1 = unpackTestTree('v1')
  v2 = unpackTestTree('v2')
})
afterAll(() => {
  for (const tree of [v1, v2, ...changed]) tree.remove()
})

/** A tree that the test may change. */
function unpackOwn(name: 'v1' | 'v2'): string {
  const tree = unpackTestTree(name)
  changed.push(tree)
  return tree.directory
}

/** Without what the directories of an unpacked tree cannot have: the times of cgroups and the sizes of the disk below. */
function makeStable(text: string): string {
  return text
    .replace(/^(container_(?:creation|start)_time_seconds\{.*\}) .*$/gm, '$1 …')
    .replace(/^(container_fs_(?:inodes_free|inodes_total|limit_bytes|usage_bytes)\{.*\}) \S+( .*)$/gm, '$1 …$2')
}

test.each(['v1', 'v2'] as const)('the families of the tree %s are those recorded', async (name) => {
  const root = (name === 'v1' ? v1 : v2).directory
  const text = await scrapeOnce({ enable_metrics: everything, update_machine_info_interval: '1m' }, { root, nowMs })
  await expect(makeStable(text)).toMatchFileSnapshot(fileURLToPath(new URL(`../testdata/${name}.families.txt`, import.meta.url)))
})

describe.each([
  ['this machine', () => ({})],
  ['version 1', () => ({ root: v1.directory })],
  ['version 2', () => ({ root: v2.directory })],
])('on %s', (_, options) => {
  test('the exporter conforms and has only families, types and labels of the original', async () => {
    const inventory = readInventory('container')
    expect(inventory, 'want parity/container.tsv in the shared folder (NARTHEX_SHARED)').toBeDefined()
    const exporter = createTestExporter({ enable_metrics: everything }, options())
    const violations = await findViolations(exporter, {
      collector: 'container',
      inventory: inventory!,
      hasTimestamps: true,
      isDynamicName: (name) => name.startsWith('narthex_container_'),
      isDynamicLabel: (label) => label.startsWith('container_label_') || ['container', 'namespace', 'pod'].includes(label),
    })
    await exporter.close()
    expect(violations).toEqual([])
  })
})

test('every family of the original that needs neither Go nor special hardware is there', async () => {
  const names = new Set<string>()
  for (const { directory } of [v1, v2]) {
    const exporter = createTestExporter({ enable_metrics: everything }, { root: directory })
    for (const name of parseText(await scrapeText(exporter)).keys()) names.add(name)
    await exporter.close()
  }
  const missing = readInventory('container')!.filter(({ metric, collector }) => collector !== 'self.go' && !names.has(metric))
  expect(missing.map(({ metric, isDefault }) => `${metric}${isDefault ? ', on by default' : ''}`)).toEqual([
    // Huge pages of cgroups are not in the trees.
    'container_hugetlb_failcnt',
    'container_hugetlb_max_usage_bytes',
    'container_hugetlb_usage_bytes',
    'container_llc_occupancy_bytes',
    'container_memory_bandwidth_bytes',
    'container_memory_bandwidth_local_bytes',
    'container_perf_events_scaling_ratio',
    'container_perf_events_total',
    'container_perf_uncore_events_scaling_ratio',
    'container_perf_uncore_events_total',
  ])
})

const ids = { web: `aaaa${'1'.repeat(60)}`, conmon: `eeee${'1'.repeat(60)}` }

describe('which cgroups are shown', () => {
  const shown = async (flags: Record<string, string | boolean>): Promise<string[]> =>
    Object.keys(valuesBy(await scrapeOnce(flags, { root: v2.directory }), 'container_last_seen', 'id'))

  test('all but mount units', async () => {
    const paths = await shown({})
    expect(paths).toHaveLength(16)
    expect(paths[0]).toBe('/')
    expect(paths.filter((path) => path.endsWith('.mount'))).toEqual([])
  })

  test('with docker_only the root and containers', async () => {
    const paths = await shown({ docker_only: true })
    expect(paths.filter((path) => !/[0-9a-f]{64}\.scope$/.test(path))).toEqual(['/'])
    expect(paths).toHaveLength(6)
  })

  test('with a whitelist what begins so, too', async () => {
    const paths = await shown({ docker_only: true, raw_cgroup_prefix_whitelist: '/init.scope,/system.slice/ssh' })
    expect(paths.filter((path) => !/[0-9a-f]{64}\.scope$/.test(path))).toEqual(['/', '/init.scope', '/system.slice/ssh.service'])
  })

  test('without figures of the root its limits stay', async () => {
    const text = await scrapeOnce({ disable_root_cgroup_stats: true }, { root: v2.directory })
    expect(valuesBy(text, 'container_memory_rss', 'id')).not.toHaveProperty('/')
    expect(valuesBy(text, 'container_spec_memory_limit_bytes', 'id')['/']).toBe(8_000_000 * 1024)
  })
})

test('a container that no engine knows is named by its path, and its monitor is not', async () => {
  const names = valuesBy(await scrapeOnce({}, { root: v2.directory }), 'container_last_seen', 'name', 'id')
  expect(Object.keys(names)).toContain(`${ids.web},/system.slice/docker-${ids.web}.scope`)
  expect(Object.keys(names)).toContain(`,/machine.slice/libpod-conmon-${ids.conmon}.scope`)
})

test('without an engine each network is shown once, and that of the machine only at the root', async () => {
  const text = await scrapeOnce({}, { root: v1.directory })
  const received = Object.keys(valuesBy(text, 'container_network_receive_bytes_total', 'id', 'interface'))
  // Of four pairs of containers two share a network.
  expect(received.map((key) => key.slice(-6, -5) + key.slice(-5))).toHaveLength(5)
  expect(received.filter((key) => key.startsWith('/,'))).toEqual(['/,eth0'])
})

test('samples have the time at which they were read, limits have none, and no sample has one when asked so', async () => {
  const timed = await scrapeOnce({}, { root: v1.directory, nowMs })
  expect(timed).toMatch(/^container_memory_rss\{.*\} \S+ 1700000000123$/m)
  expect(timed).toMatch(/^machine_cpu_cores\{.*\} 2 1700000000123$/m)
  expect(timed).toMatch(/^container_spec_memory_limit_bytes\{.*\} [^ ]+$/m)
  const untimed = await scrapeOnce({ metric_timestamps: false }, { root: v1.directory, nowMs })
  expect(untimed).not.toContain('1700000000123')
})

test('groups of metrics are left out and taken in', async () => {
  const names = async (flags: Record<string, string>): Promise<string[]> => [
    ...parseText(await scrapeOnce(flags, { root: v1.directory })).keys(),
  ]
  expect((await names({ disable_metrics: 'memory,disk,diskIO' })).filter((name) => /_memory_rss|_fs_/.test(name))).toEqual([])
  expect(await names({ disable_metrics: '' })).toContain('container_network_tcp_usage_total')
  const few = await names({ enable_metrics: 'cpu' })
  expect(few).toContain('container_cpu_user_seconds_total')
  expect(few).not.toContain('container_memory_rss')
  expect(valuesBy(await scrapeOnce({ enable_metrics: 'cpu' }, { root: v1.directory }), 'container_cpu_usage_seconds_total', 'cpu')).toEqual(
    {
      total: expect.any(Number),
    },
  )
})

test('a cgroup that is gone is gone, one that comes is there, one in its place is another', async () => {
  const root = unpackOwn('v2')
  const exporter = createTestExporter({}, { root })
  const place = join(root, 'sys/fs/cgroup/system.slice')
  const usage = async (): Promise<Readonly<Record<string, number>>> =>
    valuesBy(await scrapeText(exporter), 'container_memory_usage_bytes', 'id')
  expect(await usage()).toHaveProperty('/system.slice/ssh.service')
  rmSync(join(place, 'ssh.service'), { recursive: true })
  mkdirSync(join(place, 'cron.service'))
  writeFileSync(join(place, 'cron.service/memory.current'), '5\n')
  const changed = await usage()
  expect(changed).not.toHaveProperty('/system.slice/ssh.service')
  expect(changed['/system.slice/cron.service']).toBe(5)
  rmSync(join(place, 'cron.service'), { recursive: true })
  mkdirSync(join(place, 'cron.service/inner'), { recursive: true })
  writeFileSync(join(place, 'cron.service/memory.current'), '6\n')
  const replaced = await usage()
  expect(replaced['/system.slice/cron.service']).toBe(6)
  expect(replaced).toHaveProperty('/system.slice/cron.service/inner')
  await exporter.close()
})

test('a cgroup that vanishes between the scan and the reading costs nothing but itself', async () => {
  const root = unpackOwn('v2')
  const { log, lines } = createMemoryLogger()
  let reads = 0
  // The clock is asked once per cgroup that is read: the third removes the rest.
  const exporter = createTestExporter(
    {},
    {
      root,
      log,
      nowMs: () => {
        if (++reads === 3) rmSync(join(root, 'sys/fs/cgroup/kubepods.slice'), { recursive: true, force: true })
        return 1_700_000_000_123
      },
    },
  )
  const text = await scrapeText(exporter)
  expect(text).toContain('container_scrape_error 0\n')
  expect(await scrapeText(exporter)).not.toContain('kubepods')
  expect(lines).toEqual([])
  await exporter.close()
})

test('without cgroups the exporter does not start, with one line', () => {
  const root = unpackOwn('v1')
  writeFileSync(join(root, 'proc/self/mountinfo'), '22 1 254:0 / / rw - ext4 /dev/vda rw\n')
  expect(() => createTestExporter({}, { root })).toThrow('cannot find cgroups: want a mount of type cgroup or cgroup2 in')
})

test('cgroups that went away altogether are an error that is shown', async () => {
  const root = unpackOwn('v2')
  const exporter = createTestExporter({}, { root })
  rmSync(join(root, 'sys/fs/cgroup'), { recursive: true })
  expect(await scrapeText(exporter)).toContain('container_scrape_error 1\n')
  await exporter.close()
})

test('a list of mounts that cannot be read is an error that is shown, and ends nothing', async () => {
  const root = unpackOwn('v2')
  const slow = { docker: 'http://127.0.0.1:1' } // so that the list is refused while an answer is waited for
  const exporter = createTestExporter(slow, { root })
  writeFileSync(join(root, 'proc/self/mountinfo'), '22 1 nothing / / rw\n')
  const unhandled = vi.fn()
  process.once('unhandledRejection', unhandled)
  expect(await scrapeText(exporter)).toContain('container_scrape_error 1\n')
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
  await exporter.close()
})

test.each([
  [{ disable_metrics: 'cpus' }, 'cannot use flag --disable_metrics: unsupported metric "cpus" specified'],
  [{ enable_metrics: 'cpu,' }, 'cannot use flag --enable_metrics: unsupported metric "" specified'],
  [{ docker: 'ftp://h' }, 'cannot use flag --docker ftp://h: want unix:///path, tcp://host:port, http:// or https://'],
  [{ kubelet_endpoint: 'node:10250' }, 'cannot use flag --kubelet_endpoint node:10250: want https://host:10250'],
])('%j stops the start with one line', (flags, reason) => {
  expect(() => createTestExporter(flags, { root: v1.directory })).toThrow(reason)
})

test('kinds that are not built are warned of when they are asked for', () => {
  const { log, lines } = createMemoryLogger()
  createTestExporter({ enable_metrics: 'cpu,resctrl' }, { root: v1.directory, log })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('flag --enable_metrics=resctrl has no effect: monitoring groups of resctrl are not made')
})

test('in another process the exporter leaves out what is about the process', async () => {
  const { log } = createMemoryLogger()
  const embedded = createEmbeddedContainer({ flags: { docker_only: true }, log })
  const { body, contentType, status } = await embedded.scrape({ query: new URLSearchParams(), timeoutMs: 5_000 })
  await embedded.close()
  const text = Buffer.from(body).toString()
  expect(status).toBe(200)
  expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(text).toContain('container_scrape_error 0\n')
  expect(text).not.toMatch(/^(process|promhttp)_/m)
})

test('flags are named once', () => {
  const names = containerExporterFlags.map(({ name }) => name)
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
})

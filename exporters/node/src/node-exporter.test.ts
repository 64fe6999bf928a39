import { findViolations } from '@narthex/exporter-kit/conformance'
import { readInventory } from '@narthex/exporter-kit/inventory'
import { createLogger } from '@narthex/service/logger'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { collectorFactories } from './collectors.ts'
import { nodeExporterFlags } from './flags.ts'
import { createTestExporter, onlyCollector, scrapeOnce } from './test-exporter.ts'
import { unpackTestTrees, type TestTrees } from './test-tree.ts'

let trees: TestTrees
beforeAll(() => {
  trees = unpackTestTrees()
})
afterAll(() => trees.remove())

test('the families of the test trees are those recorded', async () => {
  const text = await scrapeOnce(
    {
      ...trees.flags,
      'collector.cpu.info': true,
      'collector.cpu.info.flags-include': '^a',
      'collector.cpu.info.bugs-include': 's$',
      'collector.stat.softirq': true,
      'collector.netdev.label-ifalias': true,
      'collector.textfile.directory': [`${trees.directory}/rootfs/textfile*`],
      'web.disable-exporter-metrics': true,
    },
    { nowMs: () => 1_700_000_000_123 },
  )
  // Taken out: what differs from machine to machine or from run to run.
  const stable = text
    .replaceAll(trees.directory, '/trees')
    .replace(/^(node_scrape_collector_duration_seconds\{.*\}|node_textfile_mtime_seconds\{.*\}) .*$/gm, '$1 …')
    .replace(/^(node_filesystem_(?:avail|free|size|files)[^{]*\{.*\}) .*$/gm, '$1 …')
    .replace(/^(node_timex_\w+) .*$/gm, '$1 …')
    .replace(/machine="[^"]*"/, 'machine="…"')
    .replace(/^node_exporter_build_info\{.*$/m, 'node_exporter_build_info …')
    .replace(/^node_time_zone_offset_seconds\{.*$/m, 'node_time_zone_offset_seconds …')
  await expect(stable).toMatchFileSnapshot(fileURLToPath(new URL('../testdata/families.txt', import.meta.url)))
})

describe.each([
  ['this machine', () => ({})],
  ['the test trees', () => trees.flags],
])('on %s', (_, flags) => {
  test('the exporter conforms and has only families, types and labels of the original', async () => {
    const inventory = readInventory('node')
    expect(inventory, 'want parity/node.tsv in the shared folder (NARTHEX_SHARED)').toBeDefined()
    const exporter = createTestExporter({ ...flags(), 'collector.cpu.info': true, 'collector.netdev.address-info': true })
    const violations = await findViolations(exporter, {
      collector: 'cpu',
      inventory: inventory!,
      isDynamicName: (name) => /^node_(hwmon|zfs)_/.test(name),
      // node_cpu_frequency_hertz of --collector.cpu.info.
      isDynamicLabel: (label) => label === 'core' || label === 'package',
    })
    await exporter.close()
    expect(violations).toEqual([])
  })
})

test('a file that cannot be read is one line in the log for many scrapes, and one more when it can', async () => {
  const lines: string[] = []
  const log = createLogger({ write: (line) => void lines.push(line), source: 'test' })
  const tree = unpackTestTrees()
  const exporter = createTestExporter({ ...tree.flags, ...onlyCollector('loadavg') }, { log })
  const whole = readFileSync(`${tree.directory}/proc/loadavg`)
  writeFileSync(`${tree.directory}/proc/loadavg`, 'none\n')
  for (let i = 0; i < 3; i++) await exporter.handleMetrics()
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/level=ERROR .*msg="collector failed" name=loadavg .*err=/)
  writeFileSync(`${tree.directory}/proc/loadavg`, whole)
  for (let i = 0; i < 3; i++) await exporter.handleMetrics()
  expect(lines).toHaveLength(2)
  expect(lines[1]).toContain('msg="collector succeeds again" name=loadavg')
  await exporter.close()
  tree.remove()
})

test('every default family that the test trees can show is there', async () => {
  const text = await scrapeOnce({ ...trees.flags, 'collector.textfile.directory': [`${trees.directory}/rootfs/textfile`] })
  const names = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]))
  const missing = readInventory('node')!.filter(
    (row) =>
      row.isDefault &&
      (collectorFactories.has(row.collector) || /^(exporter|self\.(process|promhttp))$/.test(row.collector)) &&
      !names.has(row.metric),
  )
  // Points that no chip of the trees has; what ZFS counts differs by version, and the trees have some of each file; SELinux is off there.
  const unseen = /^node_(hwmon_pwm|zfs|selinux_config|selinux_current)_/
  expect(missing.map(({ metric }) => metric).filter((metric) => !unseen.test(metric))).toEqual([])
})

test('--collector.disable-defaults leaves what is asked for', async () => {
  const exporter = createTestExporter({ 'collector.disable-defaults': true, 'collector.loadavg': true })
  expect(exporter.collectorNames).toEqual(['loadavg'])
  expect(createTestExporter({ 'collector.cpu': false }).collectorNames).toEqual(
    [...collectorFactories.keys()].filter((name) => name !== 'cpu'),
  )
})

test('a pattern that is none stops the start with the name of its collector', () => {
  expect(() => createTestExporter({ 'collector.diskstats.device-exclude': '(' })).toThrow('cannot start collector.diskstats: ')
})

test('flags are named once', () => {
  const names = nodeExporterFlags.map(({ name }) => name)
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
})

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cgroupsMax, CgroupTree } from './cgroup-tree.ts'
import { createMemoryLogger, createTestExporter, scrapeText, valuesBy } from './test-exporter.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'narthex-cgroups-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

test('cgroups are found as they come, go and change places, in one tree or several', () => {
  const [cpu, memory] = [join(root, 'cpu'), join(root, 'memory')]
  for (const path of [join(cpu, 'a/b'), join(memory, 'a'), join(memory, 'c')]) mkdirSync(path, { recursive: true })
  const tree = new CgroupTree({ version: 1, roots: new Map([['cpu', cpu], ['memory', memory]]) }) // prettier-ignore
  const pathsOf = (): string[] => tree.scan().map(({ path }) => path)
  expect(pathsOf()).toEqual(['/', '/a', '/a/b', '/c'])
  const [, a, b, c] = tree.scan()
  expect([a, b, c].map((cgroup) => cgroup!.directories)).toEqual([
    [join(cpu, 'a'), join(memory, 'a')],
    [join(cpu, 'a/b'), undefined],
    [undefined, join(memory, 'c')],
  ])
  // One goes and another comes: the number of children stays.
  rmSync(join(cpu, 'a/b'), { recursive: true })
  mkdirSync(join(cpu, 'a/d/e'), { recursive: true })
  expect(pathsOf()).toEqual(['/', '/a', '/a/d', '/a/d/e', '/c'])
  rmSync(join(cpu, 'a'), { recursive: true })
  expect(pathsOf()).toEqual(['/', '/a', '/c'])
  expect(tree.scan()[1]!.directories).toEqual([undefined, join(memory, 'a')])
  rmSync(memory, { recursive: true })
  expect(pathsOf()).toEqual(['/'])
  rmSync(cpu, { recursive: true })
  expect(() => tree.scan()).toThrow(`cannot read cgroups: want one of ${cpu}, ${memory}, got none`)
})

test('files in the place of a cgroup are none', () => {
  writeFileSync(join(root, 'cgroup.procs'), '')
  expect(new CgroupTree({ version: 2, roots: new Map([['', root]]) }).scan().map(({ path }) => path)).toEqual(['/'])
})

test('as many cgroups as are allowed are shown, one more is left out and warned of once', { timeout: 300_000 }, async () => {
  mkdirSync(join(root, 'proc/self'), { recursive: true })
  writeFileSync(join(root, 'proc/self/mountinfo'), '31 24 0:28 / /cgroup rw - cgroup2 cgroup2 rw\n')
  writeFileSync(join(root, 'proc/meminfo'), 'MemTotal: 1000 kB\n')
  for (let index = 1; index < cgroupsMax; index++) mkdirSync(join(root, 'cgroup', String(index)), { recursive: true })
  const { log, lines } = createMemoryLogger()
  const exporter = createTestExporter({ enable_metrics: 'network' }, { root, log })
  let turns = 0
  let isDone = false
  const count = (): void => {
    turns++
    if (!isDone) setImmediate(count)
  }
  count()
  const countShown = async (): Promise<number> => Object.keys(valuesBy(await scrapeText(exporter), 'container_last_seen', 'id')).length
  expect(await countShown()).toBe(cgroupsMax)
  expect(lines).toEqual([])
  // Others had the thread in between.
  expect(turns).toBeGreaterThan(10)
  mkdirSync(join(root, 'cgroup/more'))
  expect(await countShown()).toBe(cgroupsMax)
  expect(await countShown()).toBe(cgroupsMax)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('cgroups are left out')
  isDone = true
  await exporter.close()
})

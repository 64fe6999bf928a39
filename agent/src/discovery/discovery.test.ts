import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DiscoveryConfig } from '@narthex/config/discovery-config'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { FileDiscoverer, parseTargetGroups } from './file.ts'
import { DiscoveryManager } from './manager.ts'

let directory: string
let clock: FakeClock
let lines: string[]
let updates: Record<string, string[]>[]
let manager: DiscoveryManager

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-sd-'))
  clock = new FakeClock()
  lines = []
  updates = []
  manager = new DiscoveryManager({
    log: createLogger({ write: (line) => void lines.push(line) }),
    registry: new Registry(),
    clock,
    name: 'scrape',
    onUpdate: (groups) => {
      const found = [...groups].map(([job, list]) => [job, list.flatMap((group) => group.targets.map((target) => target['__address__']!))])
      updates.push(Object.fromEntries(found))
    },
  })
})

afterEach(() => {
  manager.stop()
  rmSync(directory, { recursive: true })
})

const file = (name: string): DiscoveryConfig => ({ mechanism: 'file', files: [join(directory, name)], refreshIntervalMs: 60_000 })
const write = (name: string, content: string): void => writeFileSync(join(directory, name), content)

/** The system tells of changed files when it likes. */
async function untilUpdates(count: number): Promise<void> {
  await expect
    .poll(async () => {
      await clock.advance(500)
      return updates.length
    })
    .toBeGreaterThanOrEqual(count)
}

describe('DiscoveryManager', () => {
  test('hands on static groups at once', () => {
    manager.apply([{ jobName: 'j', discovery: [{ mechanism: 'static', groups: [{ targets: ['a:1', 'b:1'], labels: {} }] }] }])
    expect(updates).toEqual([{ j: ['a:1', 'b:1'] }])
  })

  test('follows files, gathering changes for five seconds', async () => {
    write('t.json', '[{"targets": ["a:1"]}]')
    manager.apply([{ jobName: 'j', discovery: [file('*.json')] }])
    expect(updates).toEqual([{ j: ['a:1'] }])
    const started = clock.now()
    write('t.json', '[{"targets": ["a:1", "b:1"]}]')
    write('u.json', '[{"targets": ["c:1"]}]')
    await untilUpdates(2)
    expect(updates[1]).toEqual({ j: ['a:1', 'b:1', 'c:1'] })
    expect(clock.now() - started).toBeGreaterThanOrEqual(5000)
    unlinkSync(join(directory, 't.json'))
    await untilUpdates(3)
    expect(updates[2]).toEqual({ j: ['c:1'] })
  })

  test('keeps the last good groups of a file that turns bad, and says so', async () => {
    write('t.yml', '- targets: [a:1]\n')
    manager.apply([{ jobName: 'j', discovery: [file('t.yml')] }])
    write('t.yml', '- targets: [a:1\n')
    await clock.advance(60_000)
    expect(lines.some((line) => line.includes('Error reading file'))).toBe(true)
    expect(updates).toEqual([{ j: ['a:1'] }])
    write('t.yml', '- targets: [z:1]\n')
    await untilUpdates(2)
    expect(updates[1]).toEqual({ j: ['z:1'] })
  })

  test('answers a mechanism that is not built with one line', () => {
    manager.apply([{ jobName: 'j', discovery: [{ mechanism: 'other', key: 'vultr_sd_configs', config: {} }] }])
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('vultr_sd_configs is not built yet')
  })
})

test('files are read up to a size, and up to a size of all together', async () => {
  const list = (address: string, bytes: number): string => `[{"targets": ["${address}"]}]`.padEnd(bytes)
  const log = createLogger({ write: (line) => void lines.push(line) })
  const events = { onReadError: () => undefined, onWatchError: () => undefined, onScan: () => undefined }
  const config = { mechanism: 'file' as const, files: [join(directory, '*.json')], refreshIntervalMs: 60_000 }
  const discoverer = new FileDiscoverer(config, log, clock, events, { fileBytesMax: 1000, allBytesMax: 3000 })
  const found = new Map<string, number>()
  for (const name of ['a', 'b', 'c']) write(`${name}.json`, list(`${name}:1`, 1000))
  discoverer.start((groups) => {
    for (const { source, targets } of groups) found.set(source.replace(`${directory}/`, ''), targets.length)
  })
  expect([...found.entries()].sort()).toEqual([
    ['a.json:0', 1],
    ['b.json:0', 1],
    ['c.json:0', 1],
  ])
  expect(lines).toEqual([])
  write('d.json', list('d:1', 30))
  write('a.json', list('z:1', 1001))
  await clock.advance(60_000)
  expect(lines.join('')).toContain('want at most 3000 bytes in all files, got 3030')
  expect(lines.join('')).toContain('want at most 1000 bytes, got 1001')
  expect(found.has('d.json:0')).toBe(false)
  // What is gone makes room.
  unlinkSync(join(directory, 'b.json'))
  await clock.advance(120_000)
  expect([found.get('b.json:0'), found.get('d.json:0')]).toEqual([0, 1])
  discoverer.stop()
})

describe('parseTargetGroups', () => {
  test('takes numbers in YAML labels as their text, as Go does', () => {
    expect(parseTargetGroups("- targets: ['a:1']\n  labels: {port: 0777, on: yes}\n- targets: []\n", '/x/t.yaml')).toEqual([
      { source: '/x/t.yaml:0', targets: [{ __address__: 'a:1' }], labels: { port: '0777', on: 'yes', __meta_filepath: '/x/t.yaml' } },
      { source: '/x/t.yaml:1', targets: [], labels: { __meta_filepath: '/x/t.yaml' } },
    ])
  })

  test('reads null as nothing, as Go does', () => {
    for (const [path, text] of [
      ['t.json', '[{"targets": [null], "labels": {"a": null, "b": "null"}}]'],
      ['t.yml', '- targets: [~]\n  labels: {a: null, b: "null"}\n'],
    ] as const) {
      expect(parseTargetGroups(text, path)).toEqual([
        { source: `${path}:0`, targets: [{ __address__: '' }], labels: { a: '', b: 'null', __meta_filepath: path } },
      ])
    }
    expect(parseTargetGroups('- {targets: null, labels: ~}', 't.yml')).toEqual([
      { source: 't.yml:0', targets: [], labels: { __meta_filepath: 't.yml' } },
    ])
    expect(parseTargetGroups('null', 't.yml')).toEqual([])
  })

  test('keeps a label that is named as the prototype of objects', () => {
    const [group] = parseTargetGroups('[{"labels": {"__proto__": "x"}}]', 't.json')
    expect(Object.entries(group!.labels)).toEqual([
      ['__proto__', 'x'],
      ['__meta_filepath', 't.json'],
    ])
  })

  test.each([
    ['t.json', '{', /JSON/],
    ['t.json', '{}', /want a list/],
    ['t.json', '[{"targets": [1]}]', /want a target as text/],
    ['t.json', '[{"labels": {"a": 1}}]', /want label a as text/],
    ['t.json', '[null]', /nil target group item found \(index 0\)/],
    ['t.yml', '- target: []', /field target not found/],
    ['t.yml', '- labels: {[a]: b}', /all keys must be strings/],
    ['t.txt', '', /unhandled file extension ".txt"/],
  ])('refuses %s with %j', (name, content, message) => {
    expect(() => parseTargetGroups(content, name)).toThrow(message)
  })
})

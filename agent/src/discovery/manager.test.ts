import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DiscoveryConfig } from '@narthex/config/discovery-config'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { DiscoveryManager } from './manager.ts'
import type { TargetGroup } from './target-groups.ts'

let directory: string
let clock: FakeClock
let updates: (readonly TargetGroup[])[]
let manager: DiscoveryManager

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-sd-'))
  clock = new FakeClock()
  updates = []
  manager = new DiscoveryManager({
    log: createLogger({ write: () => undefined }),
    registry: new Registry(),
    clock,
    name: 'scrape',
    onUpdate: (groups) => {
      for (const list of groups.values()) updates.push(list)
    },
  })
})

afterEach(() => {
  manager.stop()
  rmSync(directory, { recursive: true })
})

const files = (pattern = '*.json'): DiscoveryConfig => ({
  mechanism: 'file',
  files: [join(directory, pattern)],
  refreshIntervalMs: 60_000,
})
const staticOf = (targets: string[], labels: Record<string, string> = {}): DiscoveryConfig => ({
  mechanism: 'static',
  groups: [{ targets, labels }],
})
const write = (name: string, groups: unknown): void => writeFileSync(join(directory, name), JSON.stringify(groups))

function addresses(groups: readonly TargetGroup[]): string[] {
  return groups.flatMap(({ targets }) => targets.map((target) => target['__address__']!)).sort()
}

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
  test('a group that says the same stays the same object, one that changed is another', async () => {
    write('a.json', [{ targets: ['a:1'], labels: { zone: 'x' } }, { targets: ['b:1'] }])
    manager.apply([{ jobName: 'j', discovery: [files()] }])
    const [firstA, firstB] = updates[0]!
    write('a.json', [{ targets: ['a:1'], labels: { zone: 'x' } }, { targets: ['b:1', 'b:2'] }])
    await untilUpdates(2)
    const [secondA, secondB] = updates[1]!
    expect(secondA).toBe(firstA)
    expect(secondB).not.toBe(firstB)
    expect(addresses(updates[1]!)).toEqual(['a:1', 'b:1', 'b:2'])
  })

  test.each([
    ['a label', [{ targets: ['a:1'], labels: { zone: 'y' } }]],
    ['a label less', [{ targets: ['a:1'] }]],
    ['a label more', [{ targets: ['a:1'], labels: { zone: 'x', rack: '1' } }]],
    ['a target less', [{ targets: [], labels: { zone: 'x' } }]],
  ])('%s makes another group', async (_what, groups) => {
    write('a.json', [{ targets: ['a:1'], labels: { zone: 'x' } }])
    manager.apply([{ jobName: 'j', discovery: [files()] }])
    write('a.json', groups)
    await untilUpdates(2)
    expect(updates[1]![0]).not.toBe(updates[0]![0])
  })

  test('a group that ends beside one that changes is gone', async () => {
    write('a.json', [{ targets: ['a:1'] }, { targets: ['b:1'] }, { targets: ['c:1'] }])
    manager.apply([{ jobName: 'j', discovery: [files()] }])
    expect(addresses(updates[0]!)).toEqual(['a:1', 'b:1', 'c:1'])
    write('a.json', [{ targets: ['a:2'] }])
    await untilUpdates(2)
    await clock.advance(60_000)
    expect(addresses(updates.at(-1)!)).toEqual(['a:2'])
  })

  test('a reload that changes nothing keeps the groups and their mechanisms', () => {
    write('a.json', [{ targets: ['a:1'] }])
    const jobs = [{ jobName: 'j', discovery: [files(), staticOf(['s:1'])] }]
    manager.apply(jobs)
    const timers = clock.timerCount
    manager.apply(structuredClone(jobs))
    expect(updates[1]).toEqual(updates[0])
    expect(updates[1]!.map((group, i) => group === updates[0]![i])).toEqual([true, true])
    expect(clock.timerCount).toBe(timers)
  })

  test('sees a static label change, whatever its name', () => {
    for (const name of ['zone', 'regex', 'discovery']) {
      manager.apply([{ jobName: 'j', discovery: [staticOf(['s:1'], { [name]: 'old' })] }])
      manager.apply([{ jobName: 'j', discovery: [staticOf(['s:1'], { [name]: 'new' })] }])
      expect(updates.at(-1)![0]!.labels[name]).toBe('new')
    }
  })

  test('updates go on when the wall clock is set back', async () => {
    write('a.json', [{ targets: ['a:1'] }])
    manager.apply([{ jobName: 'j', discovery: [files()] }])
    clock.setWallForward(-3_600_000)
    write('b.json', [{ targets: ['b:1'] }])
    await untilUpdates(2)
    expect(addresses(updates[1]!)).toEqual(['a:1', 'b:1'])
  })

  test('after stop nothing is handed on and no timer is left', async () => {
    write('a.json', [{ targets: ['a:1'] }])
    manager.apply([{ jobName: 'j', discovery: [files()] }])
    write('b.json', [{ targets: ['b:1'] }])
    unlinkSync(join(directory, 'a.json'))
    manager.stop()
    await clock.advance(120_000)
    expect(updates).toHaveLength(1)
    expect(clock.timerCount).toBe(0)
  })
})

import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { QueueConfig, RemoteWriteConfig } from '@narthex/config/remote-config'
import { Labels } from '@narthex/model/labels'
import type { Cursor } from '../store/cursor-file.ts'
import type { SeriesLayout } from '../store/frame.ts'
import { LayoutBuilder } from '../store/layout-builder.ts'
import type { RemoteStorage, StorageLimits } from './remote-storage.ts'
import { FakeRemote } from './testkit/fake-remote.ts'
import { remoteConfig, TestStorages } from './testkit/storage.ts'

const seriesCount = 2000
/** Two segments of 64 KiB. */
const limits: StorageLimits = { bytesMax: 2 ** 17 }

let storages: TestStorages

beforeEach(() => {
  storages = new TestStorages()
})

afterEach(() => storages.end())

function configOf(queue: Partial<QueueConfig> = {}): RemoteWriteConfig {
  return remoteConfig({ name: 'r', queue: { capacity: 3 * seriesCount, maxSamplesPerSend: seriesCount, ...queue } })
}

/** One that does not answer. */
function deadRemote(): FakeRemote {
  const remote = new FakeRemote()
  remote.answer = () => new Promise(() => undefined)
  return remote
}

/** Begins with the first of the remotes. */
function openStorage(remotes: Map<RemoteWriteConfig, FakeRemote>, directory = storages.directory): RemoteStorage {
  return storages.open([[...remotes.keys()][0]!], (config) => remotes.get(config)!, { directory, limits })
}

const layout: SeriesLayout = (() => {
  const builder = new LayoutBuilder()
  for (let i = 0; i < seriesCount; i++) builder.addPairs(['__name__', `m${i}`])
  return builder.build(1)
})()

function scrape(storage: RemoteStorage, round: number): void {
  const words = new Uint32Array(new Float64Array(seriesCount).fill(Math.PI * round).buffer)
  storage.append({ layout, indexes: undefined, times: round, words, count: seriesCount })
}

/** Rounds that were received as often as they have series. */
function roundsOf(remote: FakeRemote): number[] {
  return [...new Set(remote.stored.map(({ timeMs }) => timeMs))]
}

function lost(storage: RemoteStorage): number {
  return Object.values(storage.status().remotes[0]!.lostSamples).reduce((sum, samples) => sum + samples, 0)
}

/** Frames that nobody waits for, as the stored cursor says. */
function settledOnDisk(): number {
  const directory = join(storages.directory, 'frames', 'cursors')
  const name = existsSync(directory) ? readdirSync(directory).find((file) => file.endsWith('.cursor')) : undefined
  if (name === undefined) return 0
  const { next, settled = [] } = JSON.parse(readFileSync(join(directory, name), 'utf8')) as Cursor
  return settled.reduce((sum, { first, end }) => sum + end - first, next - 1)
}

describe('samples that were on their way when the byte cap took their segment', () => {
  const total = 60

  async function fill(remotes: Map<RemoteWriteConfig, FakeRemote>): Promise<RemoteStorage> {
    const storage = openStorage(remotes)
    for (let round = 1; round <= total; round++) {
      scrape(storage, round)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return storage
  }

  test('are counted when a reload gives up what is in memory', async () => {
    const before = configOf()
    const after = configOf({ minShards: 2 })
    const alive = new FakeRemote()
    const storage = await fill(
      new Map([
        [before, deadRemote()],
        [after, alive],
      ]),
    )
    await storage.applyConfig([after], Labels.empty)
    await expect.poll(() => roundsOf(alive).at(-1)).toBe(total)
    expect(lost(storage)).toBe((total - roundsOf(alive).length) * seriesCount)
    expect(Object.keys(storage.status().remotes[0]!.lostSamples)).toEqual(['storage_cap'])
  })

  test('are counted at a stop, and not again by the next run', async () => {
    const storage = await fill(new Map([[configOf(), deadRemote()]]))
    await storages.close(storage, 0)
    const counted = lost(storage)
    const alive = new FakeRemote()
    const next = openStorage(new Map([[configOf(), alive]]))
    await expect.poll(() => roundsOf(alive).at(-1)).toBe(total)
    expect(counted).toBe((total - roundsOf(alive).length) * seriesCount)
    expect(lost(next)).toBe(0)
    expect(storages.logLines.filter((line) => line.includes('unknown'))).toEqual([])
  })

  test('are told by the next run when the process died, the others are not told twice', async () => {
    const storage = await fill(new Map([[configOf(), deadRemote()]]))
    // Until the cursor says what is counted.
    await expect.poll(() => settledOnDisk()).toBe(lost(storage) / seriesCount)
    const copy = mkdtempSync(join(tmpdir(), 'narthex-cap-'))
    try {
      cpSync(join(storages.directory, 'frames'), join(copy, 'frames'), { recursive: true })
      const countedFrames = lost(storage) / seriesCount
      const alive = new FakeRemote()
      const next = openStorage(new Map([[configOf(), alive]]), copy)
      await expect.poll(() => roundsOf(alive).at(-1)).toBe(total)
      const told = storages.logLines
        .filter((line) => line.includes('samples were lost') && line.includes('unknown'))
        .map((line) => Number(/frames=(\d+)/.exec(line)![1]))
      expect(told).toHaveLength(1)
      expect(countedFrames + told[0]!).toBe(total - roundsOf(alive).length)
      await storages.close(next, 1000)
    } finally {
      rmSync(copy, { recursive: true })
    }
  })
})

import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '@narthex/service/logger'
import { isUlid } from '../block/ulid.ts'
import { StoreOpening } from '../open-store.ts'
import { takeStepsInTurns } from '../steps.ts'
import type { Store, StoreOptions } from '../store.ts'
import { apply, contentsOf, open, openBy, rangeMs, statePath, takenText } from './head-state.test-store.ts'
import { headStateDirectoryName } from './head-state-file.ts'

let directory = ''
let lines: string[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-state-'))
  lines = []
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Blocks, a checkpoint, late samples, files of chunks. */
async function fill(store: Store): Promise<void> {
  const clock = { nowMs: 100_000 }
  for (let round = 0; round < 4; round++) {
    await apply(
      store,
      [
        { kind: 'floats', series: 1, count: 90, value: 4 },
        { kind: 'histograms', series: 2, count: 40, value: 3 },
        { kind: 'compact' },
        { kind: 'late', series: 1, count: 10, value: 1 },
      ],
      clock,
    )
  }
}

/** A filled directory after a clean stop, made once, and what is in it. */
let prepared = ''
let preparedContents: Record<string, unknown> = {}

beforeAll(async () => {
  prepared = mkdtempSync(join(tmpdir(), 'narthex-state-prepared-'))
  const store = open(prepared)
  await fill(store)
  preparedContents = contentsOf(store)
  await store.close()
})
afterAll(() => rmSync(prepared, { recursive: true, force: true }))

function makeDirectory(): Record<string, unknown> {
  cpSync(prepared, directory, { recursive: true })
  return preparedContents
}

function reopen(options: Partial<StoreOptions> = {}): Store {
  lines = []
  return open(directory, options, lines)
}

function newest(folder: string): string {
  return join(
    directory,
    folder,
    readdirSync(join(directory, folder))
      .filter((name) => /^\d+$/.test(name))
      .sort()
      .at(-1)!,
  )
}

function oldestBlock(): string {
  return join(directory, readdirSync(directory).filter(isUlid).sort()[0]!)
}

const changes: [what: string, change: () => void, reason: RegExp][] = [
  ['the log is longer', () => appendFileSync(newest('wal'), new Uint8Array(7)), /wal\/\d+ has changed: \d+, now \d+/],
  ['the log has another segment', () => writeFileSync(join(directory, 'wal', '00000099'), ''), /wal\/00000099 is new/],
  ['a segment of the log is gone', () => rmSync(newest('wal')), /wal\/\d+ is gone/],
  [
    'the checkpoint is another one',
    () => {
      const name = readdirSync(join(directory, 'wal')).find((each) => each.startsWith('checkpoint.'))!
      appendFileSync(join(directory, 'wal', name, '00000000'), new Uint8Array(3))
    },
    /wal\/checkpoint\.\d+\/00000000 has changed/,
  ],
  ['the log of late samples is longer', () => appendFileSync(newest('wbl'), new Uint8Array(7)), /wbl\/\d+ has changed/],
  ['the log of late samples is gone', () => rmSync(join(directory, 'wbl'), { recursive: true }), /wbl\/\d+ is gone/],
  ['a file of chunks is longer', () => appendFileSync(newest('chunks_head'), new Uint8Array(64)), /chunks_head\/\d+ has changed/],
  [
    'a file of chunks is new',
    () => writeFileSync(join(directory, 'chunks_head', '000099'), readFileSync(newest('chunks_head')).subarray(0, 8)),
    /chunks_head\/000099 is new/,
  ],
  ['a block is gone', () => rmSync(oldestBlock(), { recursive: true }), /[0-9A-Z]{26} is gone/],
  [
    'a block is new',
    () => {
      const ulid = '01BX5ZZKBKACTAV9WEVGEMMVS0'
      cpSync(oldestBlock(), join(directory, ulid), { recursive: true })
      const meta = join(directory, ulid, 'meta.json')
      writeFileSync(meta, readFileSync(meta, 'utf8').replace(/"ulid": "[^"]+"/, `"ulid": "${ulid}"`))
    },
    /01BX5ZZKBKACTAV9WEVGEMMVS0 is new/,
  ],
]

describe("the head's state", () => {
  it.each(changes)('is not used, and gone, if %s', async (_what, change, reason) => {
    makeDirectory()
    change()
    const copy = `${directory}-copy`
    cpSync(directory, copy, { recursive: true })
    const store = reopen()
    expect(lines.join('')).toContain("The head's state is of another time: the logs are read")
    expect(lines.join('')).toMatch(reason)
    expect(existsSync(statePath(directory))).toBe(false)
    const byLogs = openBy('logs', copy)
    expect(contentsOf(store)).toEqual(contentsOf(byLogs))
    await Promise.all([store.close(), byLogs.close()])
    rmSync(copy, { recursive: true })
  })

  const others: [Partial<StoreOptions>, RegExp][] = [
    [{ chunkRangeMs: 2 * rangeMs }, /chunkRangeMs was 10000, is 20000/],
    [{ retentionMs: 1e7 }, /retentionMs was \d+, is 10000000/],
    [{ exemplarsMax: 21 }, /exemplarsMax was 20, is 21/],
    [{ customBuckets: true }, /customBuckets was false, is true/],
    [{ version: '2.0' }, /it is of version , this is 2\.0/],
    [{ memoryBytesMax: 50_000 }, /memoryBytesMax was \d+, is 50000/],
  ]
  it.each(others)('is not used with other options: %j', async (options, reason) => {
    makeDirectory()
    const store = reopen(options)
    expect(lines.join('')).toMatch(reason)
    await store.close()
  })

  it('is used with a lower ceiling of memory that it stays below, and with a higher one', async () => {
    const want = makeDirectory()
    for (const memoryBytesMax of [63 * 2 ** 20, 128 * 2 ** 20]) {
      const store = reopen({ memoryBytesMax })
      expect(lines.join('')).toContain(takenText)
      expect(contentsOf(store)).toEqual(want)
      await store.close()
    }
  })

  it('is not used when it is damaged, at any place, nor when it is cut: the logs are read', async () => {
    const want = makeDirectory()
    const good = readFileSync(statePath(directory))
    for (const at of [0, 9, 14, 1000, 6000, good.length >> 2, good.length >> 1, good.length - 50, good.length - 2]) {
      const bad = Uint8Array.from(good)
      bad[at]! ^= 4
      writeFileSync(statePath(directory), bad)
      const data = `${directory}-${at}`
      cpSync(directory, data, { recursive: true })
      lines = []
      const store = open(data, {}, lines)
      expect(lines.join(''), `at ${at}`).toContain("The head's state cannot be used: the logs are read")
      expect(contentsOf(store)).toEqual(want)
      await store.close()
      rmSync(data, { recursive: true })
    }
    writeFileSync(statePath(directory), good.subarray(0, -1))
    const store = reopen()
    expect(lines.join('')).toMatch(/cannot be used.*want \d+ bytes, got \d+/)
    expect(contentsOf(store)).toEqual(want)
    await store.close()
  })

  it('is taken over once: who is killed after that reads the logs', async () => {
    const want = makeDirectory()
    const store = openBy('state', directory)
    expect(existsSync(statePath(directory))).toBe(false)
    const clock = { nowMs: 200_000 }
    await apply(store, [{ kind: 'floats', series: 7, count: 5, value: 1 }], clock)
    const later = contentsOf(store)
    expect(later).not.toEqual(want)
    const copy = `${directory}-copy`
    cpSync(directory, copy, { recursive: true })
    rmSync(join(copy, 'lock'))
    const killed = openBy('logs', copy)
    expect(contentsOf(killed)).toEqual(later)
    await killed.close()
    await store.close()
    rmSync(copy, { recursive: true })
  })

  it('is left for the next start by one that is given up while it is read, by this thread or others', async () => {
    const want = makeDirectory()
    for (const [stepsTaken, mayWait] of [
      [1, true],
      [2, true],
      [3, false],
      [4, false],
    ] as const) {
      const steps = new StoreOpening({
        directory,
        chunkRangeMs: rangeMs,
        memoryBytesMax: 64 * 2 ** 20,
        exemplarsMax: 20,
        log: silentLogger,
      }).steps(mayWait)
      for (let i = 0; i < stepsTaken; i++) await steps.next().value
      steps.return(undefined as never)
      expect(existsSync(statePath(directory))).toBe(true)
    }
    const store = openBy('state', directory)
    expect(contentsOf(store)).toEqual(want)
    await store.close()
  })

  it('is not used if it cannot be taken away, as another start would find it', async () => {
    const want = makeDirectory()
    // A directory with something in it is in the way.
    mkdirSync(`${statePath(directory)}.taken/x`, { recursive: true })
    const store = reopen()
    expect(lines.join('')).toContain("The head's state cannot be deleted")
    expect(lines.join('')).not.toContain(takenText)
    expect(contentsOf(store)).toEqual(want)
    await store.close()
  })

  it('is read by other threads where a start may wait for them', async () => {
    const want = makeDirectory()
    const opening = new StoreOpening({
      directory,
      chunkRangeMs: rangeMs,
      memoryBytesMax: 64 * 2 ** 20,
      exemplarsMax: 20,
      log: silentLogger,
      now: () => 1e9,
    })
    const store = await takeStepsInTurns(opening.steps(true), new AbortController().signal)
    expect([store.replay.segments, opening.progress.current]).toEqual([0, store.wal.segment - 1])
    expect(contentsOf(store)).toEqual(want)
    await store.close()
  })

  it('is not written without room on the disk, by the guard or in the middle: the stop goes on, and says so once', async () => {
    for (const fail of [
      (store: Store) => (store.disk.hasRoomFor = () => false),
      () => {
        mkdirSync(join(directory, headStateDirectoryName), { recursive: true })
        symlinkSync('/dev/full', `${statePath(directory)}.tmp`)
      },
    ]) {
      const store = reopen()
      await fill(store)
      const want = contentsOf(store)
      fail(store)
      await store.close()
      expect(lines.join('').match(/The head's state is not written/g)).toHaveLength(1)
      expect(lines.join('')).toMatch(/want room for \d+ bytes|ENOSPC/)
      expect(existsSync(join(directory, headStateDirectoryName))).toBe(false)
      const again = openBy('logs', directory)
      expect(contentsOf(again)).toEqual(want)
      await again.close()
      rmSync(join(directory), { recursive: true })
      mkdirSync(directory)
    }
  })

  it('is not written by one that does not keep it, which does not take one either', async () => {
    await open(directory, { keepsHeadState: false }).close()
    expect(existsSync(statePath(directory))).toBe(false)
    await open(directory).close()
    expect(existsSync(statePath(directory))).toBe(true)
    const store = reopen({ keepsHeadState: false })
    expect([lines.join('').includes(takenText), existsSync(statePath(directory))]).toEqual([false, false])
    await store.close()
  })

  it('is not written when the logs have what the head has not', async () => {
    const store = reopen()
    await fill(store)
    store.head.counters.histogramsDropped = 1
    await store.close()
    expect(lines.join('')).toContain('reason="the log has histograms that found no memory"')
    // A record of an unknown type.
    const again = reopen()
    again.wal.writeRecords([Uint8Array.of(99, 1, 2, 3)])
    await again.close()
    await openBy('logs', directory).close()
    const third = reopen()
    await third.close()
    expect(lines.join('')).toContain('reason="the logs have records that are not known"')
    expect(existsSync(statePath(directory))).toBe(false)
  })

  it('is not written after a chunk in a file could not be read, so that the logs are read for it', async () => {
    const store = reopen()
    await fill(store)
    const want = contentsOf(store)
    for (const name of readdirSync(join(directory, 'chunks_head'))) {
      const path = join(directory, 'chunks_head', name)
      const bytes = readFileSync(path)
      for (let at = 40; at < bytes.length; at += 30) bytes[at]! ^= 1
      // In the place of the old one, which a reader may have in its cache.
      writeFileSync(`${path}.new`, bytes)
      renameSync(`${path}.new`, path)
    }
    expect(() => contentsOf(store)).toThrow('cannot read head chunk')
    await store.close()
    expect(lines.join('')).toContain('reason="a chunk in a file cannot be read"')
    const again = reopen()
    expect(contentsOf(again)).toEqual(want)
    await again.close()
  })
})

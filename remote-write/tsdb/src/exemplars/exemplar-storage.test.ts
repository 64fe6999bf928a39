import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { silentLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import { testThread } from '../compact/compactor.test-thread.ts'
import { openStore } from '../open-store.ts'
import type { Store, StoreOptions } from '../store.ts'
import { SegmentReader } from '../wal/segment-reader.ts'
import { readLabels } from '../wal/text-payload.ts'
import { exemplarResult } from './exemplar-result.ts'

const rangeMs = 10_000
const number = new Float64Array(1)
const words = new Uint32Array(number.buffer)
let directory = ''
let store: Store

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-exemplars-'))
  open()
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

function open(options: Partial<StoreOptions> = {}): void {
  const base = { directory, chunkRangeMs: rangeMs, maxBlockRangeMs: 3 * rangeMs, memoryBytesMax: 64 * 2 ** 20, thread: testThread }
  // What is tested here is in the log.
  store = openStore({ ...base, now: () => 1e9, exemplarsMax: 100, keepsHeadState: false, log: silentLogger, ...options })
}

async function reopen(options: Partial<StoreOptions> = {}): Promise<void> {
  await store.close()
  open(options)
}

function sample(series: string, timeMs: number): number {
  const ref = store.head.refByLabels(Labels.from({ __name__: 'm', series }))
  expect(store.head.append(ref, timeMs, 0, 0)).toBe(0)
  return ref
}

function exemplar(ref: number, timeMs: number, value: number, labels: Record<string, string> = { trace: 'a' }): number {
  number[0] = value
  return store.exemplars.append(ref, timeMs, words[0]!, words[1]!, Labels.from(labels))
}

function commit(): void {
  store.head.commit()
  store.exemplars.commit()
}

/** `series@time=value labels`, oldest first. */
function read(): string[] {
  const { count, times, words: bits, owners, labels, series } = store.exemplars.ring.snapshot()
  const values = new Float64Array(bits.buffer)
  const texts = ({ bytes, starts, lengths }: typeof labels, i: number) => {
    const own = bytes.slice(starts[i], starts[i]! + lengths[i]!)
    return readLabels(own, 0, own.length)
  }
  return Array.from({ length: count }, (_, i) => {
    const of = Labels.fromPairs(texts(series, owners[i]!)).get('series')
    return `${of}@${times[i]}=${values[i]} ${texts(labels, i).join('=')}`
  })
}

describe('exemplars', () => {
  test('are found after the commit, not before, and not after a rollback', () => {
    const ref = sample('x', 1000)
    expect(exemplar(ref, 1000, 0.5)).toBe(0)
    expect(read()).toEqual([])
    commit()
    expect(read()).toEqual(['x@1000=0.5 trace=a'])
    exemplar(ref, 2000, 1)
    store.exemplars.rollback()
    commit()
    expect(read()).toHaveLength(1)
  })

  test('are there again after a start, with those of one time in their order', async () => {
    const ref = sample('x', 1000)
    const other = sample('ü', 1000)
    for (let i = 1; i <= 4; i++) exemplar(i % 2 === 0 ? ref : other, 1000 + Math.floor(i / 3), i, { trace: `é${i}`, span: '' })
    commit()
    const before = read()
    expect(before).toHaveLength(4)
    await reopen()
    expect(read()).toEqual(before)
    expect(exemplar(store.head.findByLabels(Labels.from({ __name__: 'm', series: 'x' })), 900, 1)).toBe(exemplarResult.outOfOrder)
    // Switched off, the log has them still.
    await reopen({ exemplarsMax: 0 })
    expect(read()).toEqual([])
    await reopen()
    expect(read()).toEqual(before)
  })

  test('with as many characters as they may have are taken, one more is refused', () => {
    const ref = sample('x', 1000)
    expect(exemplar(ref, 1000, 1, { trace: 'é'.repeat(123) })).toBe(0)
    expect(exemplar(ref, 1001, 1, { trace: 'é'.repeat(124) })).toBe(exemplarResult.labelsTooLong)
    expect(exemplar(0, 1001, 1)).toBe(exemplarResult.unknownSeries)
    commit()
    expect(read()).toHaveLength(1)
  })

  test('of a series that was freed stay its own when the place is used again, also after a start', async () => {
    const first = sample('first', 1000)
    exemplar(first, 19_000, 1)
    for (let second = 0; second < 20; second++) {
      sample('other', second * 1000)
      commit()
    }
    await store.compactor.run()
    expect(store.head.seriesCount).toBe(1)
    const second = sample('second', 19_000)
    expect(second).toBe(first)
    // Older than what the place had before.
    expect(exemplar(second, 18_000, 2, { trace: 'b' })).toBe(0)
    commit()
    const both = ['first@19000=1 trace=a', 'second@18000=2 trace=b']
    expect(read()).toEqual(both)
    const again = sample('first', 19_500)
    expect(exemplar(again, 18_500, 3)).toBe(exemplarResult.outOfOrder)
    expect(exemplar(again, 19_500, 3)).toBe(0)
    commit()
    await reopen()
    expect(read()).toEqual([...both, 'first@19500=3 trace=a'])
  })

  test('go into checkpoints if they are newer than the blocks', async () => {
    for (let second = 0; second < 140; second++) {
      const ref = sample('x', second * 1000)
      exemplar(ref, second * 1000, second)
      commit()
      if (second % 20 === 19) await store.compactor.run()
    }
    const names = readdirSync(join(directory, 'wal'))
    expect(names.some((name) => name.startsWith('checkpoint.'))).toBe(true)
    expect(names).not.toContain('00000000')
    expect(read()).toHaveLength(100)
    await reopen()
    // What is in blocks is not read.
    expect(read()).toEqual(Array.from({ length: 10 }, (_, i) => `x@${130 + i}000=${130 + i} trace=a`))
  })

  test('are in the log behind the samples that came with them, in one write, and once', () => {
    const ref = sample('x', 1000)
    exemplar(ref, 1000, 1)
    const { flushes } = store.wal
    commit()
    expect(store.wal.flushes).toBe(flushes + 1)
    // Without samples they have a write of their own.
    exemplar(ref, 2000, 1)
    commit()
    expect(store.wal.flushes).toBe(flushes + 2)
    const types: number[] = []
    const segment = new SegmentReader(join(directory, 'wal', '00000000'))
    for (let record = segment.next(); record !== undefined; record = segment.next()) types.push(record[0]!)
    segment.close()
    expect(types).toEqual([1, 2, 4, 4])
  })

  test('of a log that cannot be written are not kept', async () => {
    const ref = sample('x', 1000)
    commit()
    exemplar(ref, 1000, 1)
    await store.wal.close()
    expect(() => store.exemplars.commit()).toThrow('cannot write to the log: it is closed')
    expect(read()).toEqual([])
  })

  test('have Prometheus metrics', () => {
    const registry = new Registry()
    const other = mkdtempSync(join(tmpdir(), 'narthex-exemplars-'))
    const measured = openStore({
      directory: other,
      memoryBytesMax: 64 * 2 ** 20,
      exemplarsMax: 2,
      registry,
      now: () => 1e9,
      log: silentLogger,
    })
    const previous = store
    store = measured
    const ref = sample('x', 1500)
    for (const timeMs of [1500, 2500, 2000, 3500]) exemplar(ref, timeMs, 1)
    commit()
    store = previous
    const writer = new FamilyWriter()
    registry.write(writer)
    const lines = Buffer.from(writer.finish())
      .toString()
      .split('\n')
      .filter((line) => line.startsWith('prometheus_tsdb_exemplar_'))
    expect(lines.sort()).toEqual([
      'prometheus_tsdb_exemplar_exemplars_appended_total 3',
      'prometheus_tsdb_exemplar_exemplars_in_storage 2',
      'prometheus_tsdb_exemplar_last_exemplars_timestamp_seconds 2.5',
      'prometheus_tsdb_exemplar_max_exemplars 2',
      'prometheus_tsdb_exemplar_out_of_order_exemplars_total 1',
      'prometheus_tsdb_exemplar_series_with_exemplars_in_storage 1',
    ])
    return measured.close().then(() => rmSync(other, { recursive: true }))
  })
})

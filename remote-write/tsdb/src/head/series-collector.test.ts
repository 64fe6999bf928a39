import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { HeadReader } from '../select/head-reader.ts'
import { createCheckpoint } from '../wal/checkpoint.ts'
import { replayLog } from '../wal/replay.ts'
import { WalWriter } from '../wal/wal-writer.ts'
import { unknownSeries } from './append-result.ts'
import { Head } from './head.ts'
import { symbolCountAt } from './head-memory.ts'

const startMs = 1_800_000_000_000
const value = new Float64Array(1)
const words = new Uint32Array(value.buffer)

function createHead(memoryBytesMax = 2 ** 28): Head {
  return new Head({ memoryBytesMax, now: () => startMs + 1e9, chunkRangeMs: 1e9 })
}

function append(head: Head, labels: Record<string, string>, timeMs: number, sample: number): number {
  value[0] = sample
  return head.append(head.refByLabels(Labels.from(labels)), timeMs, words[0]!, words[1]!)
}

/** Drops what ended before a time, and frees what has nothing left. */
function cut(head: Head, beforeMs: number): void {
  for (let ref = 1; ref !== 0;) ref = head.dropBefore(beforeMs, ref, 1000)
  while (head.collectSeries());
}

function read(reader: HeadReader, ...matchers: Matcher[]): Map<string, number[]> {
  const found = new Map<string, number[]>()
  for (const set = reader.select(matchers, -Infinity, Infinity); set.next();) {
    const columns = new SampleColumns()
    set.samples(columns)
    found.set(set.labels().toString(), Array.from(columns.values.subarray(0, columns.length)))
  }
  return found
}

const all = new Matcher('!=', '__name__', '')

describe('freeing series', () => {
  it('leaves just the series that have samples, whatever came and went, by every label and in every query', () => {
    const action = fc.oneof(
      { weight: 6, arbitrary: fc.record({ name: fc.constantFrom('a', 'b'), x: fc.nat(12), steps: fc.nat(2) }) },
      { weight: 1, arbitrary: fc.constant('cut' as const) },
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const head = createHead()
        const reader = new HeadReader(head.descriptor())
        let model: Map<string, { labels: Record<string, string>; times: number[] }> = new Map()
        let nowMs = startMs
        for (const act of actions) {
          if (act === 'cut') {
            cut(head, nowMs - 3)
            // Chunks are kept as long as one of their samples is: here each series has one chunk.
            model = new Map([...model].filter(([, { times }]) => times.at(-1)! >= nowMs - 3))
          } else {
            nowMs += act.steps
            const labels = { __name__: act.name, x: `value ${act.x}`, both: `${act.name}${act.x % 3}` }
            const known = model.get(Labels.from(labels).toString()) ?? { labels, times: [] as number[] }
            if (known.times.at(-1) === nowMs) continue
            expect(append(head, labels, nowMs, nowMs - startMs)).toBe(0)
            head.commit()
            known.times.push(nowMs)
            model.set(Labels.from(labels).toString(), known)
          }
          const wanted = new Map([...model].map(([text, { times }]) => [text, times.map((timeMs) => timeMs - startMs)]))
          expect(new Map([...read(reader, all)].sort())).toEqual(new Map([...wanted].sort()))
          for (const x of ['value 1', 'value 7'])
            expect(read(reader, new Matcher('=', 'x', x)).size).toBe([...model.values()].filter(({ labels }) => labels['x'] === x).length)
          reader.release()
          expect(head.seriesCount).toBe(model.size)
        }
        cut(head, nowMs - 3)
        const left = [...model.values()].filter(({ times }) => times.at(-1)! >= nowMs - 3)
        for (const name of ['x', 'both', '__name__']) {
          expect(reader.labelValues(name, [], -Infinity, Infinity)).toEqual([...new Set(left.map(({ labels }) => labels[name]!))].sort())
        }
        reader.release()
        const texts = new Set(left.flatMap(({ labels }) => Object.values(labels)))
        // Names stay.
        const names = actions.some((act) => act !== 'cut') ? 3 : 0
        expect(head.memory.control[symbolCountAt]).toBe(texts.size + names)
      }),
      { numRuns: 60 },
    )
  })

  it('uses the memory of those that are gone for those that come: a head whose series are replaced does not grow', () => {
    const head = createHead()
    const used: number[] = []
    const physical: number[] = []
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 3000; i++)
        append(
          head,
          { __name__: `metric_${i % 50}`, pod: `pod-${String(round).padStart(4, '0')}-${i % 100}`, i: `${i}` },
          startMs + round,
          i,
        )
      head.commit()
      cut(head, startMs + round)
      used.push(head.usedBytes)
      const { symbols, pairs, postings, labels, series } = head.memory
      physical.push([symbols, pairs, postings, labels, series].reduce((sum, { usedWords }) => sum + usedWords, 0))
      expect(head.stats()).toMatchObject({ series: 3000, labelPairs: 50 + 100 + 3000 })
    }
    // A sub-table grows when more than usual fall into it, and stays so.
    expect(used.at(-1)! / used[2]!).toBeLessThan(1.1)
    expect(physical.at(-1)! / physical[2]!).toBeLessThan(1.1)
  })

  it('makes a new series of the same labels, also for who knows them by their bytes', () => {
    const head = createHead()
    const bytes = new TextEncoder().encode('raw labels of a sender')
    append(head, { __name__: 'a', x: '1' }, startMs, 1)
    append(head, { __name__: 'stays' }, startMs + 100, 1)
    const ref = head.refByLabels(Labels.from({ __name__: 'a', x: '1' }))
    head.rememberWire(bytes, 0, bytes.length, ref)
    head.commit()
    const version = head.referenceVersion
    cut(head, startMs + 50)
    expect(head.referenceVersion).toBeGreaterThan(version)
    expect(head.refByWire(bytes, 0, bytes.length)).toBe(0)
    expect(head.append(ref, startMs + 200, 0, 0)).toBe(unknownSeries)
    expect(append(head, { __name__: 'a', x: '1' }, startMs + 200, 2)).toBe(0)
    head.commit()
    expect(read(new HeadReader(head.descriptor()), new Matcher('=', '__name__', 'a'))).toEqual(new Map([['{__name__="a", x="1"}', [2]]]))
  })

  it('takes none of them away from a query that began before, and no place before it has ended', () => {
    const head = createHead()
    for (let i = 0; i < 100; i++) append(head, { __name__: 'old', i: `${i}` }, startMs, i)
    head.commit()
    const reader = new HeadReader(head.descriptor())
    const set = reader.select([new Matcher('=', '__name__', 'old')], -Infinity, Infinity)
    cut(head, startMs + 50)
    for (let i = 0; i < 100; i++) append(head, { __name__: 'new', j: `${i}` }, startMs + 100, -1)
    head.commit()
    head.reclaim()
    expect(head.places).toBe(200)
    let count = 0
    for (; set.next(); count++) {
      const columns = new SampleColumns()
      set.samples(columns)
      expect([set.labels().get('i'), columns.length]).toEqual([`${columns.values[0]}`, 1])
    }
    expect(count).toBe(100)
    reader.release()
    head.reclaim()
    for (let i = 0; i < 100; i++) append(head, { __name__: 'newer', k: `${i}` }, startMs + 100, -2)
    head.commit()
    expect(head.places).toBe(200)
    expect(read(reader, all).size).toBe(200)
  })

  it('keeps a series that has no sample yet but one to come', () => {
    const head = createHead()
    append(head, { __name__: 'pending' }, startMs, 1)
    expect(head.collectSeries()).toBe(true)
    head.commit()
    while (head.collectSeries());
    expect(head.seriesCount).toBe(1)
  })
})

describe('the log of a head whose places are used again', () => {
  it('never uses a reference again, reads back the same, and a checkpoint keeps only what is there', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'narthex-collector-'))
    try {
      const head = createHead()
      const wal = new WalWriter({ directory, firstSegment: 0, compresses: true })
      head.startLogging(wal)
      for (let round = 0; round < 6; round++) {
        for (let i = 0; i < 50; i++) append(head, { __name__: 'm', round: `${round}`, i: `${i}` }, startMs + round, round * 100 + i)
        append(head, { __name__: 'stays' }, startMs + round, round)
        head.commit()
        if (round > 0) cut(head, startMs + round - 1)
        wal.nextSegment()
      }
      expect(head.places).toBeLessThan(6 * 50)
      expect(wal.references.highest).toBe(6 * 50 + 1)
      const here = read(new HeadReader(head.descriptor()), all)
      const readBack = (): Map<string, number[]> => {
        const again = createHead()
        again.refuseBefore(startMs + 4)
        const result = replayLog(directory, again, () => {})
        expect(result).toMatchObject({ samplesUnknown: 0, references: { highest: 6 * 50 + 1 } })
        return read(new HeadReader(again.descriptor()), all)
      }
      const wanted = new Map([...here].map(([labels, values]) => [labels, labels.includes('stays') ? [4, 5] : values]))
      await wal.sync()
      expect(readBack()).toEqual(wanted)
      const result = await createCheckpoint({
        directory,
        activeSegment: wal.segment,
        keeps: () => true,
        gone: wal.references.gone,
        minTimeMs: startMs + 4,
        compresses: true,
      })
      expect(result).toMatchObject({ lastSegment: 3 })
      // The series of two rounds were gone when the last segment of the checkpoint began to be written; those of two more may be named behind it.
      expect(result!.seriesDropped).toBe(2 * 50)
      wal.references.dropGone(3)
      expect(wal.references.goneCount).toBe(2 * 50)
      expect(readBack()).toEqual(wanted)
      await wal.close()
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe('readers in another thread', () => {
  it('see whole series under their own labels while places are freed and used again', async () => {
    const head = createHead()
    let nowMs = startMs
    const addBatch = (batch: number): void => {
      for (let i = 0; i < 200; i++)
        append(head, { __name__: 'm', batch: `${batch}`, i: `${i}`, [`n${batch % 3}`]: 'x' }, nowMs, batch * 1000 + i)
      head.commit()
    }
    addBatch(0)
    const descriptor = head.descriptor()
    const worker = new Worker(new URL('series-collector.test-worker.ts', import.meta.url), { workerData: descriptor })
    const began = once(worker, 'message')
    const ended = new Promise<{ queries: number; series: number; failure: string }>((resolve) => {
      worker.on('message', (message: 'began' | { queries: number; series: number; failure: string }) => {
        if (message !== 'began') resolve(message)
      })
    })
    await began
    for (let batch = 1; batch < 60; batch++) {
      nowMs += 10
      addBatch(batch)
      // The last two stay.
      for (let ref = 1; ref !== 0;) ref = head.dropBefore(nowMs - 15, ref, 100)
      while (head.collectSeries()) await new Promise((resolve) => setImmediate(resolve))
    }
    worker.postMessage('stop')
    const { queries, series, failure } = await ended
    await worker.terminate()
    expect(failure).toBe('')
    expect(queries).toBeGreaterThan(5)
    expect(series).toBeGreaterThan(200)
    expect(head.seriesCount).toBe(400)
    // A reader whose thread gets no time holds up what it has pinned; once it is gone, all places of freed series are used again.
    const { places } = head
    for (let batch = 60; batch < 80; batch++) {
      nowMs += 10
      addBatch(batch)
      for (let ref = 1; ref !== 0;) ref = head.dropBefore(nowMs - 15, ref, 100)
      while (head.collectSeries());
    }
    expect(head.places).toBeLessThanOrEqual(places + 200)
  }, 30_000)
})

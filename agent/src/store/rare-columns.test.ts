import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { FrameTail } from './frame-tail.ts'
import type { ExemplarColumn, HistogramColumn, ScrapeBatch } from './frame.ts'
import { LayoutBuilder } from './layout-builder.ts'
import { countRare, FrameColumns, FrameError, sampleFrameBytesMax } from './sample-frame.ts'
import type { FrameRef } from './sample-frame.ts'
import { startTimeMsMax } from './start-time-column.ts'

const seriesMax = 40
const builder = new LayoutBuilder()
for (let i = 0; i < seriesMax; i++) builder.addPairs(['__name__', `m${i}`])
const layout = builder.build(1)

interface Exemplar {
  readonly position: number
  readonly value: number
  readonly timeMs: number
  readonly labels: readonly string[]
}

const timeMs = fc.integer({ min: -(2 ** 48), max: 2 ** 48 })
const exemplar = fc.record({
  position: fc.nat({ max: seriesMax - 1 }),
  value: fc.double({ noNaN: true }),
  timeMs,
  labels: fc.array(fc.tuple(fc.string({ maxLength: 140 }), fc.string()), { maxLength: 3 }).map((pairs) => pairs.flat()),
})
const frames = fc.record({
  times: fc.oneof(timeMs, fc.array(timeMs, { minLength: seriesMax, maxLength: seriesMax })),
  values: fc.array(fc.double({ noNaN: true }), { minLength: seriesMax, maxLength: seriesMax }),
  starts: fc.option(
    fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: startTimeMsMax })), { minLength: seriesMax, maxLength: seriesMax }),
  ),
  histograms: fc.option(
    fc.uniqueArray(fc.record({ position: fc.nat({ max: seriesMax - 1 }), bytes: fc.uint8Array({ maxLength: 200 }) }), {
      minLength: 1,
      selector: ({ position }) => position,
    }),
  ),
  exemplars: fc.option(fc.array(exemplar, { minLength: 1, maxLength: 30 })),
})

function makeHistograms(list: readonly { position: number; bytes: Uint8Array }[]): HistogramColumn {
  const sorted = [...list].sort((a, b) => a.position - b.position)
  const out = new ByteWriter()
  // Messages need not begin at 0.
  out.u8(99)
  const offsets = [out.length]
  for (const { bytes } of sorted) {
    out.raw(bytes)
    offsets.push(out.length)
  }
  const positions = Uint32Array.from(sorted, ({ position }) => position)
  return { count: sorted.length, positions, offsets: Uint32Array.from(offsets), bytes: out.bytes }
}

function makeExemplars(list: readonly Exemplar[]): ExemplarColumn {
  const sorted = [...list].sort((a, b) => a.position - b.position)
  const out = new ByteWriter()
  const offsets = [0]
  for (const { labels } of sorted) {
    for (const text of labels) {
      out.uvarint(Buffer.byteLength(text))
      out.utf8(text)
    }
    offsets.push(out.length)
  }
  return {
    count: sorted.length,
    positions: Uint32Array.from(sorted, ({ position }) => position),
    words: new Uint32Array(Float64Array.from(sorted, ({ value }) => value).buffer),
    times: Float64Array.from(sorted, (one) => one.timeMs),
    offsets: Uint32Array.from(offsets),
    bytes: out.bytes,
  }
}

function writeFrame(batch: ScrapeBatch): FrameRef {
  const frame = new FrameTail().push(1, 1, batch)
  expect(frame.end - frame.start).toBeLessThanOrEqual(sampleFrameBytesMax(batch))
  return frame
}

function readAll(frame: FrameRef, columns = new FrameColumns()) {
  columns.read(frame)
  const { histograms, exemplars, count } = columns
  const exemplarValues = new Float64Array(exemplars.words.buffer)
  return {
    values: [...new Float64Array(columns.words.buffer, columns.words.byteOffset, count)],
    starts: columns.hasStartTimes ? [...columns.startTimes.subarray(0, count)] : null,
    histograms: Array.from({ length: histograms.count }, (_, i) => [
      histograms.positions[i],
      Buffer.from(histograms.bytes.subarray(histograms.offsets[i], histograms.offsets[i + 1])).toString('hex'),
    ]),
    exemplars: Array.from({ length: exemplars.count }, (_, i) => [
      exemplars.positions[i],
      exemplarValues[i],
      exemplars.times[i],
      Buffer.from(exemplars.bytes.subarray(exemplars.offsets[i], exemplars.offsets[i + 1])).toString('hex'),
    ]),
  }
}

function describeBatch({ histograms, exemplars, startTimes, words, count }: ScrapeBatch) {
  const hex = (bytes: Uint8Array, from: number | undefined, to: number | undefined) => Buffer.from(bytes.subarray(from, to)).toString('hex')
  const exemplarValues = exemplars === undefined ? undefined : new Float64Array(exemplars.words.buffer)
  return {
    values: [...new Float64Array(words.buffer, 0, count)],
    starts: startTimes === undefined ? null : [...startTimes],
    histograms: Array.from({ length: histograms?.count ?? 0 }, (_, i) => [
      histograms!.positions[i],
      hex(histograms!.bytes, histograms!.offsets[i], histograms!.offsets[i + 1]),
    ]),
    exemplars: Array.from({ length: exemplars?.count ?? 0 }, (_, i) => [
      exemplars!.positions[i],
      exemplarValues![i],
      exemplars!.times[i],
      hex(exemplars!.bytes, exemplars!.offsets[i], exemplars!.offsets[i + 1]),
    ]),
  }
}

function toBatch(given: {
  times: number | readonly number[]
  values: readonly number[]
  starts: readonly number[] | null
  histograms: readonly { position: number; bytes: Uint8Array }[] | null
  exemplars: readonly Exemplar[] | null
}): ScrapeBatch {
  return {
    layout,
    indexes: undefined,
    times: typeof given.times === 'number' ? given.times : Float64Array.from(given.times),
    words: new Uint32Array(Float64Array.from(given.values).buffer),
    count: seriesMax,
    ...(given.starts === null ? {} : { startTimes: Float64Array.from(given.starts) }),
    ...(given.histograms === null ? {} : { histograms: makeHistograms(given.histograms) }),
    ...(given.exemplars === null ? {} : { exemplars: makeExemplars(given.exemplars) }),
  }
}

const full: ScrapeBatch = toBatch({
  times: 1_700_000_000_000,
  values: Array.from({ length: seriesMax }, (_, i) => i),
  starts: Array.from({ length: seriesMax }, (_, i) => (i % 3 === 0 ? 0 : 1_600_000_000_000 + i)),
  histograms: [0, 7, 39].map((position) => ({ position, bytes: Uint8Array.of(8, position) })),
  exemplars: [3, 3, 39].map((position) => ({ position, value: 0.5, timeMs: 1_699_999_999_000, labels: ['trace_id', `t${position}`] })),
})

describe('start timestamps, histograms and exemplars of a frame', () => {
  test('come back as they were, whichever are there', () => {
    const columns = new FrameColumns()
    fc.assert(
      fc.property(frames, (given) => {
        const batch = toBatch(given)
        expect(readAll(writeFrame(batch), columns)).toEqual(describeBatch(batch))
      }),
      { numRuns: 200 },
    )
  })

  test('are not there for the next frame that has none', () => {
    const columns = new FrameColumns()
    readAll(writeFrame(full), columns)
    const { startTimes: _starts, histograms: _histograms, exemplars: _exemplars, ...plain } = full
    expect(readAll(writeFrame(plain), columns)).toEqual(describeBatch(plain))
  })

  test('take no bytes when empty columns are given', () => {
    const { startTimes: _starts, histograms: _histograms, exemplars: _exemplars, ...plain } = full
    const empty = { ...plain, histograms: makeHistograms([]), exemplars: makeExemplars([]) }
    const frame = writeFrame(empty)
    expect([frame.columns, frame.end - frame.start]).toEqual([0, writeFrame(plain).end - writeFrame(plain).start])
  })

  test('are counted without being read', () => {
    expect(countRare(writeFrame(full))).toEqual({ histograms: 3, exemplars: 3 })
    const { exemplars: _exemplars, ...others } = full
    expect(countRare(writeFrame(others))).toEqual({ histograms: 3, exemplars: 0 })
    expect(countRare({ ...writeFrame(others), columns: 3 })).toEqual({ histograms: 0, exemplars: 0 })
  })

  test('never crash a reader when they are cut or damaged', () => {
    const frame = writeFrame(full)
    const columns = new FrameColumns()
    for (let end = frame.start; end < frame.end; end++) expect(() => columns.read({ ...frame, end })).toThrow(FrameError)
    for (let at = frame.start; at < frame.end; at++) {
      for (const byte of [0, 0x7f, 0x80, 0xff]) {
        const bytes = frame.bytes.slice()
        bytes[at] = byte
        try {
          columns.read({ ...frame, bytes })
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError)
        }
      }
    }
  })

  test('are refused when a later version added columns', () => {
    const frame = writeFrame(full)
    expect(() => new FrameColumns().read({ ...frame, columns: frame.columns | 32 })).toThrow(
      'cannot read frame 1: it has columns of a later version',
    )
  })

  test('belong to samples that are there', () => {
    for (const position of [seriesMax - 1, seriesMax]) {
      const histograms = makeHistograms([{ position, bytes: new Uint8Array(2) }])
      const exemplars = makeExemplars([{ position, value: 1, timeMs: 5, labels: [] }])
      for (const batch of [
        { ...full, histograms },
        { ...full, exemplars },
      ]) {
        const read = () => new FrameColumns().read(writeFrame(batch))
        if (position < seriesMax) expect(read).not.toThrow()
        else expect(read).toThrow(`want a sample below ${seriesMax}, got ${seriesMax}`)
      }
    }
  })
})

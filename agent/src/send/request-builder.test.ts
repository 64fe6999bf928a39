import { describe, expect, test } from 'vitest'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { Labels } from '@narthex/model/labels'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { createRelabelRule } from '@narthex/relabel/relabel-rule'
import { putHistogram } from '@narthex/wire/histogram-message'
import { FrameTail } from '../store/frame-tail.ts'
import type { ExemplarColumn, FamilyMetadata, HistogramColumn, ScrapeBatch } from '../store/frame.ts'
import { LayoutBuilder } from '../store/layout-builder.ts'
import type { FrameRef } from '../store/sample-frame.ts'
import { LayoutPreparer } from './prepared-layout.ts'
import { RequestBuilder } from './request-builder.ts'
import type { BuiltRequest, FrameSlice, Wanted } from './request-builder.ts'
import type { MessageVersion } from './verdict.ts'
import { decodeRequest } from './testkit/fake-remote.ts'

const nowMs = 1_700_000_000_000
const startMs = 1_600_000_000_000
const family: FamilyMetadata = { name: 'h', type: 'histogram', help: 'help', unit: '' }
const builder = new LayoutBuilder()
for (const name of ['up', 'c_total', 'h', 'nhcb']) builder.addPairs(['__name__', name], name === 'h' ? family : undefined)
const layout = builder.build(1)

const exponential: NativeHistogram = {
  schema: 3,
  isFloat: false,
  count: 3,
  sum: 4.5,
  zeroThreshold: 1e-128,
  zeroCount: 1,
  positiveSpans: [{ offset: 0, length: 2 }],
  negativeSpans: [],
  positiveDeltas: [1, 0],
  negativeDeltas: [],
  positiveCounts: [],
  negativeCounts: [],
  customValues: [],
  isGauge: false,
}
const custom: NativeHistogram = { ...exponential, schema: -53, zeroThreshold: 0, zeroCount: 0, customValues: [0.5, 1] }

function histogramsAt(list: readonly (readonly [number, NativeHistogram])[]): HistogramColumn {
  const out = new ByteWriter()
  const offsets = [0]
  for (const [, histogram] of list) {
    putHistogram(out, histogram)
    offsets.push(out.length)
  }
  return {
    count: list.length,
    positions: Uint32Array.from(list, ([position]) => position),
    offsets: Uint32Array.from(offsets),
    bytes: out.bytes,
  }
}

function exemplarsAt(list: readonly (readonly [number, number, readonly string[]])[]): ExemplarColumn {
  const out = new ByteWriter()
  const offsets = [0]
  for (const [, , labels] of list) {
    for (const text of labels) {
      out.uvarint(Buffer.byteLength(text))
      out.utf8(text)
    }
    offsets.push(out.length)
  }
  return {
    count: list.length,
    positions: Uint32Array.from(list, ([position]) => position),
    words: new Uint32Array(Float64Array.from(list, ([, value]) => value).buffer),
    times: Float64Array.from(list, ([, value]) => nowMs - 10 * value),
    offsets: Uint32Array.from(offsets),
    bytes: out.bytes,
  }
}

/** `up` and `c_total` are floats, `h` and `nhcb` histograms; `c_total` and `h` have exemplars. */
const batch: ScrapeBatch = {
  layout,
  indexes: undefined,
  times: nowMs,
  words: new Uint32Array(Float64Array.of(1, 42, 0, 0).buffer),
  count: 4,
  startTimes: Float64Array.of(0, startMs, startMs + 1, 0),
  histograms: histogramsAt([
    [2, exponential],
    [3, custom],
  ]),
  exemplars: exemplarsAt([
    [1, 0.5, ['trace_id', 'a']],
    [1, 1.5, ['trace_id', 'b']],
    [2, 2.5, []],
  ]),
}

function frameOf(given: ScrapeBatch): FrameRef {
  return new FrameTail().push(1, 1, given)
}

const all: Wanted = { exemplars: true, histograms: true }

function build(
  version: MessageVersion,
  options: { wanted?: Wanted; slices?: readonly FrameSlice[]; oldestMs?: number; drops?: string; metadata?: boolean } = {},
): { request: ReturnType<typeof decodeRequest>; built: BuiltRequest } {
  const { drops } = options
  const rules = drops === undefined ? [] : [createRelabelRule({ sourceLabels: ['__name__'], regexText: drops, action: 'drop' })]
  const requests = new RequestBuilder(new LayoutPreparer(Labels.empty, rules), options.wanted ?? all)
  const slices = options.slices ?? [{ frame: frameOf(batch), from: 0, to: 4 }]
  const built = requests.build(slices, version, options.oldestMs ?? -Infinity, { isDue: () => options.metadata === true })
  const contentType = version === 1 ? 'application/x-protobuf' : 'application/x-protobuf;proto=io.prometheus.write.v2.Request'
  return { request: decodeRequest({ 'Content-Type': contentType }, built.body), built }
}
const series = (name: string) => `__name__=${name}`

describe('RequestBuilder', () => {
  test.each([1, 2] as const)('builds the same %d.0 request of a frame that never was bytes', (version) => {
    const shuffled: ScrapeBatch = {
      ...batch,
      indexes: Uint32Array.of(0, 1, 2, 3),
      times: Float64Array.of(nowMs, nowMs - 1, nowMs - 2, nowMs - 3),
    }
    for (const given of [batch, shuffled]) {
      const stored = frameOf(given)
      const noBytes = { bytes: new Uint8Array(0), start: 0, end: 0, columns: 0 }
      const kept: FrameRef = { ...stored, ...noBytes, batch: given }
      // Frames of both kinds may follow each other.
      const slices = [kept, stored, kept].map((frame) => ({ frame, from: 0, to: 4 }))
      const { request } = build(version, { slices })
      const third = <Item>(items: readonly Item[], i: number): readonly Item[] =>
        items.slice((i * items.length) / 3, ((i + 1) * items.length) / 3)
      for (const items of [request.samples, request.histograms, request.exemplars]) {
        expect(items.length).toBeGreaterThan(0)
        expect(third<unknown>(items, 0)).toEqual(third<unknown>(items, 1))
        expect(third<unknown>(items, 2)).toEqual(third<unknown>(items, 1))
      }
    }
  })

  test('puts start timestamps, histograms and exemplars on their series in 2.0', () => {
    const { request, built } = build(2, { metadata: true })
    expect(request.samples).toEqual([
      { series: series('up'), timeMs: nowMs, value: 1 },
      { series: series('c_total'), timeMs: nowMs, value: 42, startTimeMs: startMs },
    ])
    expect(request.histograms).toEqual([
      {
        series: series('h'),
        histogram: exponential,
        timestampMs: nowMs,
        startTimestampMs: startMs + 1,
        isCounterReset: false,
        isStale: false,
      },
      { series: series('nhcb'), histogram: custom, timestampMs: nowMs, startTimestampMs: 0, isCounterReset: false, isStale: false },
    ])
    expect(request.exemplars).toEqual([
      { series: series('c_total'), labels: 'trace_id=a', timeMs: nowMs - 5, value: 0.5 },
      { series: series('c_total'), labels: 'trace_id=b', timeMs: nowMs - 15, value: 1.5 },
      { series: series('h'), labels: '', timeMs: nowMs - 25, value: 2.5 },
    ])
    expect(request.metadata).toEqual(['__name__=h 3 help'])
    expect(built.items).toEqual({ samples: 2, histograms: 2, exemplars: 3 })
  })

  test('leaves custom buckets and start timestamps out of 1.0, and counts the histogram', () => {
    const { request, built } = build(1)
    expect(request.samples).toEqual([
      { series: series('up'), timeMs: nowMs, value: 1 },
      { series: series('c_total'), timeMs: nowMs, value: 42 },
    ])
    expect(request.histograms).toEqual([
      { series: series('h'), histogram: exponential, timestampMs: nowMs, startTimestampMs: 0, isCounterReset: false, isStale: false },
    ])
    expect(request.exemplars.map((exemplar) => [exemplar.series, exemplar.labels, exemplar.value])).toEqual([
      [series('c_total'), 'trace_id=a', 0.5],
      [series('c_total'), 'trace_id=b', 1.5],
      [series('h'), '', 2.5],
    ])
    expect(built.leftOut).toMatchObject({ customBuckets: 1, unwantedHistograms: 0 })
    expect(built.items).toEqual({ samples: 2, histograms: 1, exemplars: 3 })
  })

  test.each([1, 2] as const)('leaves out of %d.0 what the remote does not want', (version) => {
    const { request, built } = build(version, { wanted: { exemplars: false, histograms: false } })
    expect([request.samples.length, request.histograms, request.exemplars]).toEqual([2, [], []])
    expect(built.leftOut).toMatchObject({ customBuckets: 0, unwantedHistograms: 2 })
    expect(built.items).toEqual({ samples: 2, histograms: 0, exemplars: 0 })
  })

  test.each([1, 2] as const)('cuts a frame into slices for %d.0 wherever its histograms and exemplars are', (version) => {
    const whole = build(version).request
    const frame = frameOf(batch)
    for (let cut = 0; cut <= 4; cut++) {
      const parts = [
        { frame, from: 0, to: cut },
        { frame, from: cut, to: 4 },
      ].map((slice) => build(version, { slices: [slice] }).request)
      for (const key of ['samples', 'histograms', 'exemplars'] as const)
        expect(parts.flatMap((part) => part[key] as unknown[])).toEqual(whole[key])
    }
  })

  test('counts what a rule and what its age leaves out, each kind on its own', () => {
    const { built } = build(2, { drops: 'h|up' })
    expect(built.leftOut.byRules).toEqual({ samples: 1, histograms: 1, exemplars: 1 })
    expect(built.items).toEqual({ samples: 1, histograms: 1, exemplars: 2 })
    const old = build(1, { oldestMs: nowMs + 1 }).built
    expect(old.leftOut.byAge).toEqual({ samples: 2, histograms: 2, exemplars: 3 })
    expect(old.items).toEqual({ samples: 0, histograms: 0, exemplars: 0 })
    const { startTimes: _starts, histograms: _histograms, exemplars: _exemplars, ...plain } = batch
    expect(build(2, { oldestMs: nowMs + 1, slices: [{ frame: frameOf(plain), from: 0, to: 4 }] }).built.leftOut.byAge.samples).toBe(4)
  })

  test('sends the text of an exemplar label once a request', () => {
    const list = Array.from({ length: 50 }, (_, i) => [1, i, ['trace_id', 'the same long trace id in each of them']] as const)
    const frame = frameOf({ ...batch, exemplars: exemplarsAt(list) })
    const { built } = build(2, { slices: [{ frame, from: 0, to: 4 }] })
    expect(built.items.exemplars).toBe(50)
    expect(built.uncompressedBytes).toBeLessThan(50 * 30)
  })
})

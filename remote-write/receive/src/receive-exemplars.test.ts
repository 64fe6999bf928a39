import { encodeOracle, oracle1, oracle2 } from '@narthex/wire/testdata/wire-oracle'
import { compress } from '@narthex/wire/snappy'
import type { Labels } from '@narthex/model/labels'
import type { MetricType } from '@narthex/model/metric-type'
import { beforeEach, describe, expect, test } from 'vitest'
import type { ExemplarSink, SeriesMetadataSink } from './appender.ts'
import { FakeHead } from './fake-head.ts'
import { Receiver } from './receive.ts'

const v1 = 'application/x-protobuf'
const v2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request'
const now = 1_700_000_000_000
const number = new Float64Array(1)
const words = new Uint32Array(number.buffer)

class FakeExemplars implements ExemplarSink {
  readonly stored: string[] = []
  result = 0
  lookups: string[] = []
  commitError: Error | undefined
  #pending: string[] = []

  findSeries(labels: Labels): number {
    this.lookups.push(labels.toString())
    return labels.get('__name__') === 'old' ? 77 : 0
  }

  append(ref: number, timeMs: number, lowWord: number, highWord: number, labels: Labels): number {
    if (ref <= 0) return 5
    words[0] = lowWord
    words[1] = highWord
    if (this.result === 0) this.#pending.push(`${ref}@${timeMs - now}=${number[0]} ${labels.toString()}`)
    return this.result
  }

  commit(): void {
    if (this.commitError !== undefined) throw this.commitError
    this.stored.push(...this.#pending.splice(0))
  }

  rollback(): void {
    this.#pending = []
  }
}

class FakeSeriesMetadata implements SeriesMetadataSink {
  readonly stored: string[] = []
  readonly texts: string[] = ['']
  #pending: string[] = []

  noteFamily(family: string, type: MetricType, unit: string, help: string): void {
    this.#pending.push(`${family}: ${type} ${unit} ${help}`)
  }

  numberOf(type: MetricType, unit: string, help: string): number {
    return this.texts.push(`${type} ${unit} ${help}`) - 1
  }

  noteSeries(ref: number, text: number): void {
    this.#pending.push(`${ref}: ${this.texts[text]}`)
  }

  commit(): void {
    this.stored.push(...this.#pending.splice(0))
  }

  rollback(): void {
    this.#pending = []
  }
}

let head: FakeHead
let exemplars: FakeExemplars
let series: FakeSeriesMetadata
let receiver: Receiver

beforeEach(() => {
  head = new FakeHead()
  exemplars = new FakeExemplars()
  series = new FakeSeriesMetadata()
  receiver = new Receiver({ appender: head, metadata: { setMetadata: () => {}, series }, exemplars, now: () => now })
})

const named = (name: string) => [{ name: '__name__', value: name }]
const sample = { value: 1, timestamp: now }
const exemplar = (value: number, later: number, trace: string) => ({
  labels: [{ name: 'trace', value: trace }],
  value,
  timestamp: now + later,
})

function send1(timeseries: readonly object[], metadata = Buffer.alloc(0)) {
  return receiver.receive(v1, 'snappy', compress(Buffer.concat([encodeOracle(oracle1, { timeseries }), metadata])))
}

function send2(symbols: readonly string[], timeseries: readonly object[]) {
  return receiver.receive(v2, 'snappy', compress(encodeOracle(oracle2, { symbols: ['', ...symbols], timeseries })))
}

describe('exemplars of 1.0', () => {
  test('are stored with their series, also when they come in series of their own', () => {
    const got = send1([
      { labels: named('a'), samples: [sample], exemplars: [exemplar(0.5, 1, 'x')] },
      { labels: named('a'), exemplars: [exemplar(2, 2, 'y')] },
      { labels: named('old'), exemplars: [exemplar(3, 3, 'z')] },
    ])
    expect(got).toMatchObject({ status: 204, counts: { samples: 1, exemplars: 3, refusedExemplars: 0 } })
    expect(exemplars.stored).toEqual(['1@1=0.5 {trace="x"}', '1@2=2 {trace="y"}', '77@3=3 {trace="z"}'])
    expect(exemplars.lookups).toEqual(['{__name__="old"}'])
  })

  test('of series that are not there make none, and fail nothing', () => {
    const got = send1([{ labels: named('new'), exemplars: [exemplar(1, 0, 'x')] }])
    expect(got).toMatchObject({ status: 204, counts: { exemplars: 0, refusedExemplars: 1 } })
    expect(head.committed.size).toBe(0)
  })

  test('out of order fail nothing; a repeated one counts as stored', () => {
    exemplars.result = 2
    const request = [{ labels: named('a'), samples: [sample], exemplars: [exemplar(1, 0, 'x')] }]
    expect(send1(request)).toMatchObject({ status: 204, counts: { exemplars: 0, refusedExemplars: 1 } })
    exemplars.result = 1
    expect(send1(request)).toMatchObject({ status: 204, counts: { exemplars: 1, refusedExemplars: 0 } })
  })

  test('ten minutes ahead of the clock are stored, one later is not', () => {
    const tenMinutes = 600_000
    const both = [exemplar(1, tenMinutes, 'x'), exemplar(1, tenMinutes + 1, 'y')]
    expect(send1([{ labels: named('a'), samples: [sample], exemplars: both }])).toMatchObject({
      status: 204,
      counts: { exemplars: 1, refusedExemplars: 1 },
    })
    expect(exemplars.stored).toEqual(['1@600000=1 {trace="x"}'])
  })

  test('that are malformed leave nothing of the request', () => {
    // Field 3 of a series, whose field 2 is a varint instead of a double.
    const body = Buffer.from(encodeOracle(oracle1, { timeseries: [{ labels: named('a'), samples: [sample] }] }))
    const broken = Buffer.concat([body, Buffer.from([0x1a, 0x02, 0x10, 0x01])])
    broken[1]! += 4
    expect(receiver.receive(v1, 'snappy', compress(broken)).status).toBe(400)
    expect([head.committed.size, head.pendingCount]).toEqual([0, 0])
  })

  test('that the log does not take answer 500, and come again', () => {
    exemplars.commitError = new Error('no luck')
    const request = [{ labels: named('a'), samples: [sample], exemplars: [exemplar(1, 0, 'x')] }]
    expect(send1(request)).toMatchObject({ status: 500, errorText: 'cannot write samples to the log: no luck' })
    exemplars.commitError = undefined
    expect(send1(request).status).toBe(204)
    expect(exemplars.stored).toHaveLength(1)
  })
})

describe('exemplars of 2.0', () => {
  const symbols = ['__name__', 'a', 'b', 'trace', 'x']
  const a = { labelsRefs: [1, 2], samples: [sample] }
  const one = { labelsRefs: [4, 5], value: 0.25, timestamp: now + 7 }

  test('are stored and told in the header', () => {
    const got = send2(symbols, [{ ...a, exemplars: [one] }])
    expect(got).toMatchObject({ status: 204, counts: { exemplars: 1 } })
    expect(got.headers['X-Prometheus-Remote-Write-Exemplars-Written']).toBe('1')
    expect(exemplars.stored).toEqual(['1@7=0.25 {trace="x"}'])
  })

  test('of a series without samples are not stored', () => {
    const got = send2(symbols, [a, { labelsRefs: [1, 3], exemplars: [one] }])
    expect(got).toMatchObject({ status: 400, counts: { samples: 1, exemplars: 0, refusedExemplars: 1 } })
    expect(got.errorText).toBe('TimeSeries must contain at least one sample or histogram for series {__name__="b"}')
  })

  test('out of order are reported, the rest is stored', () => {
    exemplars.result = 2
    const got = send2(symbols, [{ ...a, exemplars: [one] }])
    expect(got).toMatchObject({ status: 400, errorText: 'out of order exemplar for series {__name__="a"}', counts: { samples: 1 } })
    expect(head.sampleCount).toBe(1)
  })

  test('with references to nowhere leave nothing of the request', () => {
    expect(send2(symbols, [{ ...a, exemplars: [{ ...one, labelsRefs: [4, 6] }] }]).status).toBe(400)
    expect([head.committed.size, head.pendingCount]).toEqual([0, 0])
  })
})

test('where none are kept, exemplars are dropped and counted, and fail nothing', () => {
  receiver = new Receiver({ appender: head, metadata: { setMetadata: () => {} }, now: () => now })
  const got = send1([{ labels: named('a'), samples: [sample], exemplars: [exemplar(1, 0, 'x')] }])
  expect(got).toMatchObject({ status: 204, counts: { samples: 1, exemplars: 0, refusedExemplars: 1 } })
})

describe('metadata', () => {
  test('of 1.0 are handed on by family', () => {
    // ┌ 1: type ┬ 2: family ┬ 4: help ┬ 5: unit ┐
    const message = Buffer.from('\x08\x01\x12\x01a\x22\x02A.\x2a\x01s')
    send1([{ labels: named('a_total'), samples: [sample] }], Buffer.concat([Buffer.of(0x1a, message.length), message]))
    expect(series.stored).toEqual(['a: counter s A.'])
  })

  test('of 2.0 are handed on by series, each text once', () => {
    const metadata = { type: 2, helpRef: 4, unitRef: 0 }
    send2(
      ['__name__', 'a', 'b', 'Help.', 'c'],
      [
        { labelsRefs: [1, 2], samples: [sample], metadata },
        { labelsRefs: [1, 3], samples: [sample], metadata },
        { labelsRefs: [1, 5], samples: [sample] },
      ],
    )
    expect(series.stored).toEqual(['1: gauge  Help.', '2: gauge  Help.'])
    expect(series.texts).toHaveLength(2)
  })
})

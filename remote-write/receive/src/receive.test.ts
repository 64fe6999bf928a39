import fc from 'fast-check'
import protobuf from 'protobufjs'
import { beforeEach, describe, expect, test } from 'vitest'
import { compress } from '@narthex/wire/snappy'
import { FakeHead } from './fake-head.ts'
import { Receiver } from './receive.ts'

const v1 = 'application/x-protobuf'
const v2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request'
const now = 1_700_000_000_000

const schema1 = protobuf
  .parse(
    `syntax = "proto3"; message WriteRequest { repeated TimeSeries timeseries = 1; repeated Meta metadata = 3; }
     message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
     message Label { bytes name = 1; bytes value = 2; } message Sample { double value = 1; int64 timestamp = 2; }
     message Exemplar { double value = 2; } message Histogram { oneof c { uint64 countInt = 1; double countFloat = 2; } fixed64 staleSum = 3; sint32 schema = 4; bytes malformed = 8; uint32 resetHint = 14; int64 timestamp = 15; repeated double customValues = 16; }
     message Meta { uint32 type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }`,
  )
  .root.lookupType('WriteRequest')
const schema2 = protobuf
  .parse(
    `syntax = "proto3"; message Request { repeated bytes symbols = 4; repeated TimeSeries timeseries = 5; }
     message TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3; Metadata metadata = 5; }
     message Sample { double value = 1; int64 timestamp = 2; } message Histogram { oneof c { uint64 countInt = 1; double countFloat = 2; } fixed64 staleSum = 3; sint32 schema = 4; bytes malformed = 8; uint32 resetHint = 14; int64 timestamp = 15; repeated double customValues = 16; }
     message Metadata { uint32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }`,
  )
  .root.lookupType('Request')

interface Series {
  labels: readonly (readonly [string | Uint8Array, string | Uint8Array])[]
  samples?: readonly { value?: number; timestamp?: number }[]
  histograms?: readonly object[]
  exemplars?: readonly object[]
  metadata?: { type: number; help: string }
}

const toBytes = (text: string | Uint8Array) => (typeof text === 'string' ? Buffer.from(text) : text)

function encode1(series: readonly Series[], metadata: readonly object[] = []): Uint8Array {
  const timeseries = series.map((one) => ({
    ...one,
    labels: one.labels.map(([name, value]) => ({ name: toBytes(name), value: toBytes(value) })),
  }))
  return compress(schema1.encode(schema1.fromObject({ timeseries, metadata })).finish())
}

function encode2(series: readonly Series[]): Uint8Array {
  const symbols: Uint8Array[] = [Buffer.alloc(0)]
  const intern = (text: string | Uint8Array) => {
    const bytes = Buffer.from(toBytes(text))
    const at = symbols.findIndex((symbol) => bytes.equals(symbol))
    return at >= 0 ? at : symbols.push(bytes) - 1
  }
  const timeseries = series.map((one) => ({
    ...one,
    labelsRefs: one.labels.flatMap(([name, value]) => [intern(name), intern(value)]),
    metadata: one.metadata === undefined ? undefined : { type: one.metadata.type, helpRef: intern(one.metadata.help) },
  }))
  return compress(schema2.encode(schema2.fromObject({ symbols, timeseries })).finish())
}

const versions = [
  { name: '1.0', type: v1, encode: (series: readonly Series[]) => encode1(series) },
  { name: '2.0', type: v2, encode: encode2 },
]

let head: FakeHead
let metadata: unknown[][]
let receiver: Receiver

beforeEach(() => {
  head = new FakeHead()
  metadata = []
  receiver = new Receiver({ appender: head, metadata: { setMetadata: (...entry) => void metadata.push(entry) }, now: () => now })
})

const key = (labels: Record<string, string>) => JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))
const up = {
  labels: [
    ['job', 'a'],
    ['__name__', 'up'],
  ] as const,
  samples: [{ value: 1, timestamp: now }],
}
const other = { labels: [['__name__', 'other']] as const, samples: [{ value: 2, timestamp: now }] }

describe.each(versions)('a $name request', ({ name, type, encode }) => {
  const written = (samples: number) =>
    name === '1.0'
      ? {}
      : {
          'X-Prometheus-Remote-Write-Samples-Written': String(samples),
          'X-Prometheus-Remote-Write-Histograms-Written': '0',
          'X-Prometheus-Remote-Write-Exemplars-Written': '0',
        }

  test('is stored with its labels sorted, in one commit', () => {
    const got = receiver.receive(type, 'snappy', encode([up, other]))
    expect(got).toMatchObject({ status: 204, errorText: '' })
    expect(got.headers).toEqual(written(2))
    expect([...head.committed.keys()].sort()).toEqual([key({ __name__: 'up', job: 'a' }), key({ __name__: 'other' })].sort())
    expect(head.commits).toBe(1)
  })

  test('keeps value bits, also of the same series twice', () => {
    receiver.receive(type, 'snappy', encode([up, { ...up, samples: [{ value: -0.1, timestamp: now + 1 }] }]))
    expect([...head.committed.get(key({ __name__: 'up', job: 'a' }))!]).toEqual([
      [now, '3ff0000000000000'],
      [now + 1, 'bfb999999999999a'],
    ])
  })

  test('drops labels with empty values', () => {
    receiver.receive(type, 'snappy', encode([{ ...up, labels: [...up.labels, ['empty', '']] }]))
    expect([...head.committed.keys()]).toEqual([key({ __name__: 'up', job: 'a' })])
  })

  test('answers 400 with the reason for a sample out of order, and stores the rest', () => {
    receiver.receive(type, 'snappy', encode([up]))
    const got = receiver.receive(type, 'snappy', encode([{ ...up, samples: [{ value: 1, timestamp: now - 1 }] }, other]))
    expect(got.status).toBe(400)
    expect(got.errorText).toBe('out of order sample for series {__name__="up", job="a"}')
    expect(got.headers).toEqual(written(1))
    expect(head.committed.has(key({ __name__: 'other' }))).toBe(true)
  })

  test('answers 400 for another value at the same time, 204 for the same value', () => {
    receiver.receive(type, 'snappy', encode([up]))
    expect(receiver.receive(type, 'snappy', encode([up])).status).toBe(204)
    const got = receiver.receive(type, 'snappy', encode([{ ...up, samples: [{ value: 3, timestamp: now }] }]))
    expect(got).toMatchObject({ status: 400, errorText: 'duplicate sample for timestamp for series {__name__="up", job="a"}' })
  })

  test('takes a sample ten minutes ahead and refuses one a millisecond further', () => {
    expect(receiver.receive(type, 'snappy', encode([{ ...up, samples: [{ timestamp: now + 600_000 }] }])).status).toBe(204)
    const got = receiver.receive(type, 'snappy', encode([{ ...up, samples: [{ timestamp: now + 600_001 }] }]))
    expect(got).toMatchObject({ status: 400, counts: { samples: 0, refusedSamples: 1 } })
    expect(got.errorText).toContain('out of bounds: timestamp is too far in the future')
  })

  test('answers 400 with the reason when the head takes no more series, and stores known ones', () => {
    receiver.receive(type, 'snappy', encode([up]))
    head.seriesMax = 1
    const got = receiver.receive(type, 'snappy', encode([other, { ...up, samples: [{ value: 1, timestamp: now + 1 }] }]))
    expect(got).toMatchObject({
      status: 400,
      errorText: 'series limit of 1 reached for series {__name__="other"}',
      counts: { samples: 1, refusedSamples: 1 },
    })
  })

  test.each([
    ['without a metric name', [['job', 'a']]],
    [
      'with an empty label name',
      [
        ['__name__', 'up'],
        ['', 'a'],
      ],
    ],
    [
      'with a label name twice',
      [
        ['__name__', 'up'],
        ['a', '1'],
        ['a', '2'],
      ],
    ],
    [
      'with a value that is not UTF-8',
      [
        ['__name__', 'up'],
        ['a', Uint8Array.of(0xff, 0xfe)],
      ],
    ],
  ] as [string, Series['labels']][])('leaves out a series %s and stores the rest', (_what, labels) => {
    const got = receiver.receive(type, 'snappy', encode([{ labels, samples: [{ timestamp: now }] }, other]))
    expect(got.status).toBe(name === '1.0' ? 204 : 400)
    expect(got.counts).toMatchObject({ samples: 1, invalidLabelSamples: 1 })
    expect([...head.committed.keys()]).toEqual([key({ __name__: 'other' })])
  })

  test('is stored with its histograms, the ends of them and what they say of resets', () => {
    const histograms = [
      { countInt: 3, schema: 1, timestamp: now, resetHint: 1 },
      { countFloat: 2.5, timestamp: now + 1 },
      { countInt: 0, staleSum: Buffer.of(2, 0, 0, 0, 0, 0, 0xf0, 0x7f).readBigUInt64LE().toString(), timestamp: now + 2 },
    ]
    const got = receiver.receive(type, 'snappy', encode([up, { labels: other.labels, histograms }]))
    expect(got).toMatchObject({ status: 204, errorText: '', counts: { samples: 1, histograms: 3, refusedHistograms: 0 } })
    if (name === '2.0') expect(got.headers).toMatchObject({ 'X-Prometheus-Remote-Write-Histograms-Written': '3' })
    expect([...head.committed.get(key({ __name__: 'other' }))!]).toEqual([
      [now, 'histogram of 3, hint 2'],
      [now + 1, 'float histogram of 2.5, hint 0'],
      [now + 2, 'stale histogram'],
    ])
  })

  test('answers 400 with the reason for a histogram that is refused, and stores the rest', () => {
    const histograms = [
      { countInt: 3, schema: -53, timestamp: now },
      { countInt: 3, timestamp: now + 600_001 },
      { countInt: 3, timestamp: now + 600_000 },
      { countInt: 3, timestamp: now, customValues: Array.from({ length: 65_536 }, (_, i) => i) },
    ]
    const got = receiver.receive(type, 'snappy', encode([up, { labels: [['__name__', 'h']], histograms }]))
    expect(got).toMatchObject({ status: 400, counts: { samples: 1, histograms: 1, refusedHistograms: 3 } })
    expect(got.errorText.split('\n')).toEqual([
      'series limit of Infinity reached for series {__name__="h"}',
      'out of bounds: timestamp is too far in the future for series {__name__="h"}',
      expect.stringMatching(/^want at most 524288 bytes of a histogram, got \d+ for series/),
    ])
  })

  test('with a malformed histogram changes nothing', () => {
    const got = receiver.receive(type, 'snappy', encode([up, { labels: [['__name__', 'h']], histograms: [{ malformed: Buffer.of(1) }] }]))
    expect(got.status).toBe(400)
    expect(head.sampleCount + head.pendingCount).toBe(0)
  })

  test('answers 500 and keeps nothing when the log cannot be written', () => {
    head.failCommit = new Error('no space left on device')
    const got = receiver.receive(type, 'snappy', encode([up]))
    expect(got).toMatchObject({
      status: 500,
      errorText: 'cannot write samples to the log: no space left on device',
      counts: { samples: 0 },
    })
    expect(head.pendingCount).toBe(0)
    expect(got.headers).toEqual(written(0))
  })

  test('answers 503 with Retry-After when the disk is full, also unread if that is known before', () => {
    head.failCommit = Object.assign(new Error('cannot write to the log: no room'), { name: 'DiskFullError' })
    const got = receiver.receive(type, 'snappy', encode([up]))
    expect(got).toMatchObject({ status: 503, errorText: 'cannot write to the log: no room', counts: { samples: 0 } })
    expect(got.headers).toEqual({ ...written(0), 'Retry-After': '5' })
    expect(head.pendingCount).toBe(0)
    const refusing = new Receiver({
      ...{ appender: head, now: () => now, refusal: () => 'no room', metadata: { setMetadata: () => undefined } },
    })
    expect(refusing.receive(type, 'snappy', Uint8Array.of(1))).toMatchObject({ status: 503, errorText: 'no room' })
    expect(refusing.receive('text/plain', 'snappy', Uint8Array.of(1)).status).toBe(415)
  })

  test('answers 503 with Retry-After and keeps nothing when the head is full', () => {
    receiver.receive(type, 'snappy', encode([up]))
    head.isFull = true
    const got = receiver.receive(type, 'snappy', encode([other]))
    expect(got).toMatchObject({ status: 503, errorText: 'memory ceiling of the head reached', counts: { samples: 0 } })
    expect(got.headers).toEqual({ ...written(0), 'Retry-After': '10' })
    expect(head.pendingCount).toBe(0)
  })

  test('changes nothing when its bytes are damaged', () => {
    const whole = encode([up, other])
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 3 }), fc.nat(), (flips, cut) => {
        const fresh = new FakeHead()
        const bytes = Uint8Array.from(cut % 2 === 0 ? whole : whole.subarray(0, cut % whole.length))
        for (const [at, change] of flips) if (bytes.length > 0) bytes[at % bytes.length]! ^= change
        const got = new Receiver({ appender: fresh, metadata: { setMetadata: () => undefined }, now: () => now }).receive(
          type,
          'snappy',
          bytes,
        )
        expect([204, 400]).toContain(got.status)
        expect(fresh.pendingCount).toBe(0)
        expect(fresh.sampleCount).toBe(got.counts.samples)
        if (/^(snappy|cannot)/.test(got.errorText)) expect(fresh.commits).toBe(0)
      }),
      { numRuns: 1500 },
    )
  })
})

describe('Receiver', () => {
  test('asks the head once for a series that it knows by its bytes', () => {
    receiver.receive(v1, 'snappy', encode1([up]))
    const before = head.wireLookups
    receiver.receive(v1, 'snappy', encode1([{ ...up, samples: [{ value: 2, timestamp: now + 1 }] }]))
    expect(head.wireLookups).toBe(before + 1)
    expect(head.sampleCount).toBe(2)
  })

  test('knows a 2.0 series again though its references differ, and tells other label sets apart', () => {
    const later = { ...up, samples: [{ value: 2, timestamp: now + 1 }] }
    receiver.receive(v2, 'snappy', encode2([up, other]))
    let resolved = 0
    const refBySymbols = head.refBySymbols.bind(head)
    head.refBySymbols = (pairs, count) => {
      resolved++
      return refBySymbols(pairs, count)
    }
    receiver.receive(v2, 'snappy', encode2([{ ...other, samples: [{ timestamp: now + 1 }] }, later]))
    expect([resolved, head.sampleCount]).toEqual([0, 4])
    receiver.receive(
      v2,
      'snappy',
      encode2([
        {
          ...later,
          labels: [
            ['__name__', 'job'],
            ['up', 'a'],
          ],
        },
      ]),
    )
    expect([resolved, head.committed.size]).toEqual([1, 3])
  })

  test.each([
    ['text/plain', 'snappy', 'expected application/x-protobuf as the first (media) part, got text/plain content-type'],
    ['application/x-protobuf;proto=other.Request', 'snappy', 'unknown remote write protobuf message other.Request'],
    ['application/x-protobuf;proto', 'snappy', 'expected parameters to be key-values'],
    [v1, 'gzip', 'gzip encoding (compression) is not accepted by this server; only snappy is acceptable'],
  ])('answers 415 to %s in %s', (type, encoding, text) => {
    const got = receiver.receive(type, encoding, encode1([up]))
    expect(got.status).toBe(415)
    expect(got.errorText).toContain(text)
    expect(head.commits).toBe(0)
  })

  test('takes missing headers for snappy and 1.0', () => {
    expect(receiver.receive(undefined, undefined, encode1([up])).status).toBe(204)
    expect(receiver.receive('application/x-protobuf; proto="prometheus.WriteRequest"', '', encode1([up])).status).toBe(204)
    expect(head.sampleCount).toBe(1)
  })

  test('refuses a declared size above 32 MiB with 400', () => {
    const got = receiver.receive(v1, 'snappy', Uint8Array.from([0x81, 0x80, 0x80, 0x10, 0]))
    expect(got).toMatchObject({ status: 400 })
    expect(got.errorText).toContain('decoded block is too large')
  })

  test('refuses a 1.0 message under the 2.0 type, and nothing is stored', () => {
    const got = receiver.receive(v2, 'snappy', encode1([up]))
    expect(got.status).toBe(400)
    expect(got.headers).toMatchObject({ 'X-Prometheus-Remote-Write-Samples-Written': '0' })
    expect(head.commits).toBe(0)
  })

  test('refuses a 2.0 series with neither samples nor histograms', () => {
    const got = receiver.receive(v2, 'snappy', encode2([{ labels: up.labels }, other]))
    expect(got).toMatchObject({ status: 400, counts: { samples: 1 } })
    expect(got.errorText).toBe('TimeSeries must contain at least one sample or histogram for series {__name__="up", job="a"}')
  })

  test('hands metadata of both versions on', () => {
    receiver.receive(v1, 'snappy', encode1([up], [{ type: 2, metricFamilyName: 'up', help: 'Up?', unit: '' }]))
    receiver.receive(
      v2,
      'snappy',
      encode2([{ labels: [['__name__', 'rtt_bucket']], samples: [{ timestamp: now }], metadata: { type: 3, help: 'Trips.' } }]),
    )
    expect(metadata).toEqual([
      ['up', 'gauge', 'Up?', ''],
      ['rtt', 'histogram', 'Trips.', ''],
    ])
  })

  test('names the first ten failures and counts the rest', () => {
    const future = Array.from({ length: 13 }, (_, i) => ({ labels: [['__name__', `m${i}`]] as const, samples: [{ timestamp: now + 1e9 }] }))
    const lines = receiver.receive(v1, 'snappy', encode1(future)).errorText.split('\n')
    expect(lines).toHaveLength(11)
    expect(lines[10]).toBe('… and 3 more')
  })
})

import { ByteWriter } from '@narthex/bytes/byte-writer'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ExpositionError } from './exposition-error.ts'
import { LineParser } from './line-parser.ts'
import { writeProtobufLines } from './protobuf-lines.ts'
import { describeSamples } from './testdata/describe-samples.ts'
import { encodeFamilies } from './testdata/metric-family.ts'

const defaults = { keepClassic: false, nativeHistograms: true }

function read(body: Uint8Array | readonly object[], options: Partial<typeof defaults> = {}): string[] {
  const out = new ByteWriter(16)
  writeProtobufLines(body instanceof Uint8Array ? body : encodeFamilies(body), out, { ...defaults, ...options })
  return describeSamples(new LineParser(), out.view())
}

function errorOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof ExpositionError) return error.message
    throw error
  }
  return 'no error'
}

const label = (name: string, value: string) => ({ name, value })
const [counter, gauge, summary, untyped, histogram, gaugeHistogram] = [0, 1, 2, 3, 4, 5]
const exemplar = (value: number, seconds?: number) => ({
  label: [label('id', `e${value}`)],
  value,
  ...(seconds === undefined ? {} : { timestamp: { seconds, nanos: 7_999_999 } }),
})

const classic = {
  sample_count: 7,
  sample_sum: 2.5,
  bucket: [
    { upper_bound: 0.5, cumulative_count: 3, exemplar: exemplar(0.2, 100) },
    { upper_bound: 1, cumulative_count: 5, exemplar: exemplar(0.7) },
  ],
  created_timestamp: { seconds: 12, nanos: 345_000_000 },
}
const native = {
  schema: 3,
  sample_count: 10,
  sample_sum: 12.5,
  zero_threshold: 0.001,
  zero_count: 1,
  positive_span: [
    { offset: -2, length: 2 },
    { offset: 3, length: 1 },
  ],
  positive_delta: [2, 1, -2],
  negative_span: [{ offset: 4, length: 1 }],
  negative_delta: [3],
}
const nativeText = '{int schema 3 count 10 sum 12.5 zero 1<=0.001 +[-2:2 3:1 = 2 3 1] -[4:1 = 3]}'

describe('writeProtobufLines', () => {
  test('reads simple metrics with their metadata, labels, times and exemplars', () => {
    const families = [
      {
        name: 'a_seconds_total',
        help: 'A "help"\nof \\ two lines',
        type: counter,
        unit: 'seconds',
        metric: [
          {
            label: [label('x', 'a "b"\n\\'), label('ü.y', '')],
            counter: { value: 3, exemplar: exemplar(0.5, 20), created_timestamp: { seconds: 1 } },
          },
          { timestamp_ms: 123_456, counter: { value: 1e300, exemplar: exemplar(2) } },
        ],
      },
      { name: 'g', type: gauge, metric: [{ timestamp_ms: -5, gauge: { value: NaN } }, { label: [label('a', 'b')] }] },
      { name: 'no.metrics', type: gauge },
      { name: 'my.untyped', type: untyped, metric: [{ untyped: { value: -0.25 } }, { label: [label('a', 'b')], untyped: {} }] },
    ]
    expect(read(families)).toEqual([
      'HELP a_seconds_total A "help"\nof \\ two lines',
      'TYPE a_seconds_total counter',
      'UNIT a_seconds_total seconds',
      'a_seconds_total{x="a \\"b\\"\\n\\\\"} 3 from 1000 # {id=e0.5} 0.5 @20007',
      'a_seconds_total 1e+300 @123456 # {id=e2} 2',
      'TYPE g gauge',
      'g NaN @-5',
      'g{a="b"} 0',
      'TYPE my.untyped unknown',
      '{"my.untyped"} -0.25',
      '{"my.untyped", a="b"} 0',
    ])
  })

  test('expands summaries, also without quantiles', () => {
    const families = [
      {
        name: 's',
        type: summary,
        metric: [
          {
            label: [label('a', 'b')],
            summary: { sample_count: 3, sample_sum: 1.5, quantile: [{ quantile: 0.5, value: 2 }, { quantile: 1 }] },
          },
          { summary: { sample_count: 0, created_timestamp: { seconds: 2 } } },
        ],
      },
    ]
    expect(read(families)).toEqual([
      'TYPE s summary',
      's_count{a="b"} 3',
      's_sum{a="b"} 1.5',
      's{a="b", quantile="0.5"} 2',
      's{a="b", quantile="1.0"} 0',
      's_count 0 from 2000',
      's_sum 0 from 2000',
    ])
  })

  test('expands classic histograms and makes up the bucket of +Inf', () => {
    expect(read([{ name: 'h.x', type: histogram, metric: [{ histogram: classic }] }])).toEqual([
      'TYPE h.x histogram',
      '{"h.x_count"} 7 from 12345',
      '{"h.x_sum"} 2.5 from 12345',
      '{"h.x_bucket", le="0.5"} 3 from 12345 # {id=e0.2} 0.2 @100007',
      '{"h.x_bucket", le="1.0"} 5 from 12345 # {id=e0.7} 0.7',
      '{"h.x_bucket", le="+Inf"} 7 from 12345',
    ])
  })

  test('takes a float count above 0 before an integer one, and nothing behind the bucket of +Inf', () => {
    const bucket = [{ upper_bound: Infinity, cumulative_count: 4, cumulative_count_float: 4.5 }, { upper_bound: 7 }]
    const families = [{ name: 'h', type: gaugeHistogram, metric: [{ histogram: { sample_count: 4, sample_count_float: 4.5, bucket } }] }]
    expect(read(families)).toEqual(['TYPE h gaugehistogram', 'h_count 4.5', 'h_sum 0', 'h_bucket{le="+Inf"} 4.5'])
  })

  test('reads a native histogram, packed or not, and its classic series only when they are asked for', () => {
    const families = [{ name: 'h', type: histogram, metric: [{ label: [label('a', 'b')], histogram: { ...classic, ...native } }] }]
    const line = `h{a="b"} ${nativeText} from 12345 # {id=e0.2} 0.2 @100007`
    expect(read(families)).toEqual(['TYPE h histogram', line])
    expect(read(encodeFamilies(families, true))).toEqual(['TYPE h histogram', line])
    expect(read(families, { keepClassic: true })).toEqual([
      'TYPE h histogram',
      line,
      'h_count{a="b"} 10 from 12345',
      'h_sum{a="b"} 12.5 from 12345',
      'h_bucket{a="b", le="0.5"} 3 from 12345 # {id=e0.2} 0.2 @100007',
      'h_bucket{a="b", le="1.0"} 5 from 12345 # {id=e0.7} 0.7',
      'h_bucket{a="b", le="+Inf"} 10 from 12345',
    ])
    expect(read(families, { nativeHistograms: false })).toHaveLength(6)
  })

  test('drops exemplars of native histograms without a time and prefers its own to those of buckets', () => {
    const exemplars = [exemplar(1), exemplar(2, 30), exemplar(3, 40)]
    const families = [{ name: 'h', type: histogram, metric: [{ timestamp_ms: 9, histogram: { ...classic, ...native, exemplars } }] }]
    expect(read(families)[1]).toBe(`h ${nativeText} @9 from 12345 # {id=e2} 2 @30007 # {id=e3} 3 @40007`)
  })

  test('knows a native histogram without observations by its span of nothing', () => {
    const empty = { schema: 3, zero_threshold: 0, positive_span: [{ offset: 0, length: 0 }] }
    expect(read([{ name: 'h', type: histogram, metric: [{ histogram: empty }] }])[1]).toBe('h {int schema 3 count 0 sum 0}')
    expect(read([{ name: 'h', type: histogram, metric: [{ histogram: { schema: 3 } }] }])).toHaveLength(4)
  })

  test('reads float and gauge histograms', () => {
    const float = {
      schema: -1,
      sample_count_float: 3.5,
      zero_threshold: 1e-128,
      zero_count_float: 1,
      positive_span: [{ offset: 0, length: 3 }],
      positive_count: [2, 0, 0.5],
    }
    expect(read([{ name: 'h', type: gaugeHistogram, metric: [{ histogram: float }] }])[1]).toBe(
      'h {float gauge schema -1 count 3.5 sum 0 zero 1<=1e-128 +[0:1 1:1 = 2 0.5]}',
    )
  })

  test('reduces a resolution finer than schema 8 and refuses one coarser than -4', () => {
    const fine = { ...native, schema: 10, positive_span: [{ offset: -7, length: 3 }], negative_span: [{ offset: 9, length: 1 }] }
    const at = (schema: number) => [{ name: 'h', type: histogram, metric: [{ histogram: { ...fine, schema } }] }]
    // (-8, -4] of a fourth of the width is bucket -1 of schema 8: indexes -7, -6 and -5 are all in it.
    expect(read(at(10))[1]).toBe('h {int schema 8 count 10 sum 12.5 zero 1<=0.001 +[-1:1 = 6] -[3:1 = 3]}')
    expect(read(at(-4))[1]).toContain('schema -4')
    expect(errorOf(() => read(at(-5)))).toContain('histogram has an invalid schema, which must be between -4 and 8')
    expect(errorOf(() => read(at(53)))).toContain('histogram has an invalid schema')
  })

  test.each([
    [{ positive_delta: [2, 1] }, 'positive side: spans need 3 buckets, have 2 buckets'],
    [{ positive_delta: [2, 1, -2, 0] }, 'positive side: spans need 3 buckets, have 4 buckets'],
    [{ positive_span: [{ offset: 0, length: 4_294_967_295 }] }, 'span number 1 ends at bucket 4294967295'],
    [{ positive_span: Array(9).fill({ offset: 2_147_483_647, length: 0 }) }, 'want at most 2147483647'],
    [{ positive_span: [{ length: 2 }, { offset: -1, length: 1 }] }, 'positive side: span number 2 with offset -1'],
    [{ positive_delta: [2, 1, -4] }, 'bucket number 3 has observation count of -1'],
    [{ sample_count: 9 }, '10 observations found in buckets, but the Count field is 9'],
  ])('refuses a histogram with %j', (change, problem) => {
    const families = [{ name: 'h', type: histogram, metric: [{ histogram: { ...native, ...change } }] }]
    expect(errorOf(() => read(families))).toContain(problem)
  })

  test('allows observations outside of all buckets only where the sum is NaN', () => {
    const at = (sum: number, count: number) => [
      { name: 'h', type: histogram, metric: [{ histogram: { ...native, sample_sum: sum, sample_count: count } }] },
    ]
    expect(errorOf(() => read(at(1, 11)))).toContain('should equal')
    expect(read(at(NaN, 11))[1]).toContain('count 11')
    expect(errorOf(() => read(at(NaN, 9)))).toContain('at least')
  })

  test.each([
    [{ name: '', type: gauge, metric: [{}] }, 'invalid metric name: ""'],
    [{ name: 'a', type: 6, metric: [{}] }, 'unknown metric type 6 (metric family "a"'],
    [{ name: 'a', type: gauge, unit: 'b', metric: [{}] }, 'unit "b" not a suffix of metric "a"'],
    [{ name: 'a_total', type: counter, unit: 'b', metric: [{}] }, 'unit "b" not a suffix of counter "a_total"'],
    [{ name: 'a', type: gauge, metric: [{ label: [label('', 'x')] }] }, 'invalid label name: ""'],
  ])('refuses %j', (family, problem) => {
    expect(errorOf(() => read([family]))).toContain(problem)
  })

  test('refuses bytes that are not UTF-8 in names, labels and help', () => {
    const whole = Buffer.from(encodeFamilies([{ name: 'aaa', help: 'bbb', type: gauge, metric: [{ label: [label('ccc', 'ddd')] }] }]))
    for (const text of ['aaa', 'bbb', 'ccc', 'ddd']) {
      const broken = Buffer.from(whole)
      broken[broken.indexOf(text)] = 0xff
      expect(errorOf(() => read(broken))).toContain('invalid')
    }
  })

  test('refuses a body cut anywhere but between families', () => {
    const families = [{ name: 'h', type: histogram, metric: [{ histogram: { ...classic, ...native } }] }]
    const whole = encodeFamilies(families)
    for (let length = 1; length < whole.length; length++) {
      expect(errorOf(() => read(whole.subarray(0, length)))).toContain('(metric family at byte 0)')
    }
    expect(read(new Uint8Array(0))).toEqual([])
  })

  test('reads buckets as a slow reader does, whatever the spans', () => {
    const span = fc.record({ offset: fc.integer({ min: 0, max: 4 }), length: fc.integer({ min: 0, max: 4 }) })
    fc.assert(
      fc.property(
        fc.integer({ min: -20, max: 20 }),
        fc.array(span, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 0, max: 12 }),
        fc.infiniteStream(fc.nat(3)),
        (first, spans, schema, stream) => {
          spans[0] = { ...spans[0]!, offset: first }
          const buckets = new Map<number, number>()
          const deltas: number[] = []
          let [index, last, count] = [0, 0, 0]
          for (const { offset, length } of spans) {
            index += offset
            for (let i = 0; i < length; i++, index++) {
              const value = stream.next().value
              deltas.push(value - last)
              last = value
              count += value
              // The bucket of schema 8 whose range holds the upper bound of this one.
              const wide = schema > 8 ? Math.floor((index - 1) / 2 ** (schema - 8)) + 1 : index
              if (value > 0) buckets.set(wide, (buckets.get(wide) ?? 0) + value)
            }
          }
          const message = { schema, zero_threshold: 1, sample_count: count, positive_span: spans, positive_delta: deltas }
          const out = new ByteWriter()
          writeProtobufLines(encodeFamilies([{ name: 'h', type: histogram, metric: [{ histogram: message }] }]), out, defaults)
          const parser = new LineParser()
          parser.begin(out.bytes, 0, out.length)
          parser.next()
          parser.next()
          const read = parser.histogram()
          const got = new Map<number, number>()
          let [at, value, next] = [0, 0, 0]
          for (const { offset, length } of read.positiveSpans) {
            at += offset
            for (let i = 0; i < length; i++) got.set(at++, (value += read.positiveDeltas[next++]!))
          }
          expect([...got]).toEqual([...buckets].sort(([a], [b]) => a - b))
          expect(read.schema).toBe(Math.min(schema, 8))
        },
      ),
      { numRuns: 2000 },
    )
  })
})

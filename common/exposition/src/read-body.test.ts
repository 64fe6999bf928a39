import { ByteWriter } from '@narthex/bytes/byte-writer'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ExpositionError } from './exposition-error.ts'
import { expositionKindOf, prepareBody } from './read-body.ts'
import type { BodyOptions, ExpositionKind } from './read-body.ts'
import { describeSamples } from './testdata/describe-samples.ts'
import { encodeFamilies } from './testdata/metric-family.ts'

const plain: BodyOptions = { nhcb: false, keepClassic: false, nativeHistograms: true, createdAsStart: false }

function read(kind: ExpositionKind, body: string | Uint8Array, options: Partial<BodyOptions> = {}): string[] {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const prepared = prepareBody(kind, bytes, { ...plain, ...options }, new ByteWriter(16))
  return describeSamples(prepared.parser, prepared.body)
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

describe('prepareBody', () => {
  test('gives text and OpenMetrics back as they are when nothing has to change', () => {
    const out = new ByteWriter()
    const body = Buffer.from('a_total 1\n# EOF\n')
    expect(prepareBody('text', body, plain, out).body).toBe(body)
    expect(prepareBody('openmetrics', body, plain, out).body).toBe(body)
    expect(prepareBody('openmetrics', body, { ...plain, createdAsStart: true }, out).body).toBe(body)
    expect(out.length).toBe(0)
  })

  test('writes equal lines for equal samples, and other bytes before the value for no other series', () => {
    const family = (value: number) => ({ name: 'a', type: 1, metric: [{ label: [{ name: 'x', value: '1' }], gauge: { value } }] })
    const first = prepareBody('protobuf', encodeFamilies([family(1)]), plain, new ByteWriter()).body
    const second = prepareBody('protobuf', encodeFamilies([family(2)]), plain, new ByteWriter()).body
    expect(prepareBody('protobuf', encodeFamilies([family(1)]), plain, new ByteWriter()).body).toEqual(first)
    const valueAt = Buffer.from(first).indexOf(0)
    expect(Buffer.from(first.subarray(0, valueAt)).toString()).toBe('# TYPE a gauge\na{x="1"} ')
    expect(second.subarray(0, valueAt)).toEqual(first.subarray(0, valueAt))
  })

  test('chooses the format by media type and version', () => {
    expect(expositionKindOf('text/plain; version=0.0.4')).toBe('text')
    expect(expositionKindOf('Application/OpenMetrics-Text; version=1.0.0; charset=utf-8')).toBe('openmetrics')
    expect(expositionKindOf('application/openmetrics-text')).toBe('openmetrics')
    expect(expositionKindOf('application/openmetrics-text;charset=utf-8;version="2.0.0"')).toBe('openmetrics2')
    expect(expositionKindOf('application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited')).toBe('protobuf')
    expect(expositionKindOf('text/html')).toBeUndefined()
    expect(expositionKindOf('')).toBeUndefined()
  })
})

describe('exemplars of OpenMetrics 1.0', () => {
  test('are read with quoted names, escapes and times cut to milliseconds', () => {
    const body = `# TYPE a counter
a_total 1 # {trace_id="a\\"b\\\\\\n",} 0.5 1.9999
a_total{b="# {"} 2 3 # {"x.y"="ü",z="}"} -1e3
a_total{c="d"} 2 # {} Inf -1.5
a_total{e="f"} 2
# EOF
`
    expect(read('openmetrics', body)).toEqual([
      'TYPE a counter',
      'a_total 1 # {trace_id=a"b\\\n} 0.5 @1999',
      'a_total{b="# {"} 2 @3000 # {x.y=ü,z=}} -1000',
      'a_total{c="d"} 2 # {} Infinity @-1500',
      'a_total{e="f"} 2',
    ])
  })
})

describe('createdAsStart', () => {
  const body = `# HELP c a
# TYPE c counter
c_total{a="1"} 5
c_created{a="1"} 1520430000.1239
c_created{b="y",a="2"} 7
c_total{a="2",b="y"} 6 # {x="y"} 1
c_total{a="3"} 6 9
# TYPE h histogram
h_bucket{x="y",le="1"} 2
h_bucket{le="+Inf",x="y"} 3
h_count{x="y"} 3
h_sum{x="y"} 1
h_created{x="y"} 2.5
# TYPE s summary
s{quantile="1"} 2
s_count 3
s_created 4
# TYPE g_created gauge
g_created 8
# EOF
`

  test('gives the times of _created lines to the series of their labels, before or behind them', () => {
    expect(read('openmetrics', body, { createdAsStart: true })).toEqual([
      'HELP c a',
      'TYPE c counter',
      'c_total{a="1"} 5 from 1520430000123',
      'c_total{a="2", b="y"} 6 from 7000 # {x=y} 1',
      'c_total{a="3"} 6 @9000',
      'TYPE h histogram',
      'h_bucket{le="1.0", x="y"} 2 from 2500',
      'h_bucket{le="+Inf", x="y"} 3 from 2500',
      'h_count{x="y"} 3 from 2500',
      'h_sum{x="y"} 1 from 2500',
      'TYPE s summary',
      's{quantile="1.0"} 2 from 4000',
      's_count 3 from 4000',
      'TYPE g_created gauge',
      'g_created 8',
    ])
  })

  test('is off by default: the lines are samples', () => {
    expect(read('openmetrics', body)).toContain('s_created 4')
  })

  test('refuses what the parser refuses', () => {
    expect(errorOf(() => read('openmetrics', 'a_created 1\n', { createdAsStart: true }))).toBe('data does not end with # EOF (line 2)')
  })
})

describe('conversion of classic histograms', () => {
  const body = `# TYPE h histogram
h_bucket{a="x",le="0.5"} 2 # {id="e"} 0.1 5
h_bucket{a="x",le="1"} 2
h_bucket{a="x",le="2"} 2
h_bucket{a="x",le="4"} 2
h_bucket{a="x",le="8"} 7
h_bucket{a="x",le="+Inf"} 9
h_sum{a="x"} 30
h_count{a="x"} 9
h_bucket{ le = "1" , a = "y\\n" } 1.5
h_bucket{"a"="y\\n",le="+Inf",} 2
h_sum{a="y\\n"} 3
# TYPE other gauge
h_bucket{a="x",le="+Inf"} 2
# EOF
`
  const converted = [
    'TYPE h histogram',
    'h{a="x"} {int schema -53 count 9 sum 30 +[0:1 3:2 = 2 5 2] bounds[0.5 1 2 4 8]} # {id=e} 0.1 @5000',
    'h{a="y\\n"} {float schema -53 count 2 sum 3 +[0:2 = 1.5 0.5] bounds[1]}',
    'TYPE other gauge',
    'h_bucket{a="x", le="+Inf"} 2',
  ]

  test('makes one histogram of the series with equal labels, at the end of the family', () => {
    const text = body.replace(' # {id="e"} 0.1 5', '')
    expect(read('text', text, { nhcb: true })).toEqual(converted.map((line) => line.replace(' # {id=e} 0.1 @5000', '')))
    const openMetrics = body.replace('{ le = "1" , a = "y\\n" }', '{a="y\\n",le="1"}')
    expect(read('openmetrics', openMetrics, { nhcb: true })).toEqual(converted)
  })

  test('keeps the classic series when asked to', () => {
    const text = body.replace(' # {id="e"} 0.1 5', '')
    const both = read('text', text, { nhcb: true, keepClassic: true })
    expect(both.filter((line) => line.includes('{int') || line.includes('{float'))).toHaveLength(2)
    expect(both.filter((line) => !line.includes('schema'))).toEqual(read('text', text))
  })

  test.each([
    ['without +Inf and count, the last bucket', 'h_bucket{le="1"} 3\nh_sum 2\n', 'count 3 sum 2 +[0:1 = 3] bounds[1]'],
    ['without +Inf, the count', 'h_bucket{le="1"} 3\nh_count 5\n', 'count 5 sum 0 +[0:2 = 3 2] bounds[1]'],
    ['without buckets, the count', 'h_count 5\n', 'count 5 sum 0 +[0:1 = 5]'],
    [
      'with buckets out of order',
      'h_bucket{le="+Inf"} 5\nh_bucket{le="2"} 4\nh_bucket{le="-1"} 1\nh_bucket{le="2.0"} 9\n',
      'count 5 sum 0 +[0:3 = 1 3 1] bounds[-1 2]',
    ],
    ['with a time of its own', 'h_count 5 77\nh_bucket{le="+Inf"} 5 77\n', 'count 5 sum 0 +[0:1 = 5]} @77'],
  ])('completes a histogram %s', (_, lines, wanted) => {
    const [, line, ...more] = read('text', `# TYPE h histogram\n${lines}`, { nhcb: true })
    expect(line).toContain(wanted)
    expect(more).toEqual([])
  })

  test.each([
    ['falling counts', 'h_bucket{le="1"} 3\nh_bucket{le="+Inf"} 2\n'],
    ['negative counts', 'h_bucket{le="1"} -1\nh_bucket{le="+Inf"} 2\n'],
    ['counts that are NaN', 'h_bucket{le="1"} NaN\nh_bucket{le="+Inf"} 2\n'],
    ['a count that is not that of +Inf', 'h_bucket{le="+Inf"} 2\nh_count 3\n'],
    ['a count of infinity', 'h_bucket{le="1"} 2\nh_bucket{le="+Inf"} Inf\n'],
  ])('drops what has %s, unless the classic series are kept', (_, lines) => {
    const text = `# TYPE h histogram\n${lines}`
    expect(read('text', text, { nhcb: true })).toEqual(['TYPE h histogram'])
    expect(read('text', text, { nhcb: true, keepClassic: true })).toEqual(read('text', text))
  })

  test('leaves alone what is no part of a histogram', () => {
    const text =
      '# TYPE h histogram\nh_bucket 1\nh_bucket{le="x"} 1\nh 3\nh_max 4\nhh_count 3\nx_count 3\n# TYPE s summary\ns_count 3\ns_sum 1\n'
    expect(read('text', text, { nhcb: true })).toEqual(read('text', text))
  })

  test('does not convert what is native already, but its family’s other histograms', () => {
    const classic = { sample_count: 3, bucket: [{ upper_bound: 1, cumulative_count: 2 }] }
    const native = { ...classic, schema: 0, zero_threshold: 0.5, positive_span: [{ length: 1 }], positive_delta: [3] }
    const metric = [
      { label: [{ name: 'a', value: '1' }], histogram: native },
      { histogram: { ...classic, created_timestamp: { seconds: 9 } } },
    ]
    const family = (type: number) => encodeFamilies([{ name: 'h', type, metric }])
    const own = 'h{a="1"} {int schema 0 count 3 sum 0 zero 0<=0.5 +[0:1 = 3]}'
    const made = 'h {int schema -53 count 3 sum 0 +[0:2 = 2 1] bounds[1]} from 9000'
    expect(read('protobuf', family(4), { nhcb: true })).toEqual(['TYPE h histogram', own, made])
    expect(read('protobuf', family(5), { nhcb: true })[2]).toBe(made.replace('int', 'int gauge'))
    const both = read('protobuf', family(4), { nhcb: true, keepClassic: true })
    expect(both.filter((line) => line.includes('schema'))).toEqual([own, made])
    expect(both.filter((line) => !line.includes('schema'))).toEqual(
      read('protobuf', family(4), { keepClassic: true }).filter((line) => !line.includes('schema')),
    )
  })

  test('holds the observations that the classic buckets held', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { minLength: 1, maxLength: 12 }), fc.boolean(), (own, quarters) => {
        let sum = 0
        const counts = own.map((count) => (sum += quarters ? count / 4 : count))
        const lines = counts.map((count, i) => `h_bucket{le="${i === own.length - 1 ? '+Inf' : i}"} ${count}\n`)
        const { body: out, parser } = prepareBody(
          'text',
          Buffer.from(`# TYPE h histogram\n${lines.join('')}`),
          { ...plain, nhcb: true },
          new ByteWriter(),
        )
        parser.begin(out, 0, out.length)
        parser.next()
        parser.next()
        const histogram = parser.histogram()
        const got = own.map(() => 0)
        let [index, next, count] = [0, 0, 0]
        for (const { offset, length } of histogram.positiveSpans) {
          index += offset
          for (let i = 0; i < length; i++, next++) {
            count = histogram.isFloat ? histogram.positiveCounts[next]! : count + histogram.positiveDeltas[next]!
            got[index++] = count
          }
        }
        expect(got).toEqual(own.map((value) => (quarters ? value / 4 : value)))
        expect(histogram.isFloat).toBe(counts.some((value) => !Number.isInteger(value)))
      }),
      { numRuns: 500 },
    )
  })
})

describe('OpenMetrics 2.0', () => {
  const openMetrics2 = (body: string, options: Partial<BodyOptions> = {}) => read('openmetrics2', `${body}# EOF\n`, options)

  test('reads numbers with start timestamps and several exemplars', () => {
    const body = `# TYPE a_total counter
# HELP a_total a \\"b\\"\\n
# UNIT a_total s
a_total{b="c"} 17.0 1520879607.789 st@1520430000.123 # {trace_id="x"} 0.67 1520879607.1 # {} 1 2
a_total{b="d"} 1 st@5
a_total 2 3
# TYPE "my.gauge" gauge
{"my.gauge",a="b"} NaN
{a="b","my.gauge"} -1e-3
`
    expect(openMetrics2(body)).toEqual([
      'TYPE a_total counter',
      'HELP a_total a "b"\n',
      'UNIT a_total s',
      'a_total{b="c"} 17 @1520879607789 from 1520430000123 # {trace_id=x} 0.67 @1520879607100 # {} 1 @2000',
      'a_total{b="d"} 1 from 5000',
      'a_total 2 @3000',
      'TYPE my.gauge gauge',
      '{"my.gauge", a="b"} NaN',
      '{"my.gauge", a="b"} -0.001',
    ])
  })

  test('expands classic histograms; exemplars go to the bucket of their value', () => {
    const body = `# TYPE h histogram
h{a="b"} {count:6,sum:1.5,bucket:[0.5:1,1e6:4]} 5 st@4 # {i="1"} 0.5 1 # {i="2"} 0.6 2 # {i="3"} 1e7 3
# TYPE "g.h" gaugehistogram
{"g.h",a="b"} {gcount:2,gsum:-1,bucket:[+Inf:2]}
`
    expect(openMetrics2(body)).toEqual([
      'TYPE h histogram',
      'h_count{a="b"} 6 @5000 from 4000',
      'h_sum{a="b"} 1.5 @5000 from 4000',
      'h_bucket{a="b", le="0.5"} 1 @5000 from 4000 # {i=1} 0.5 @1000',
      'h_bucket{a="b", le="1e+06"} 4 @5000 from 4000 # {i=2} 0.6 @2000',
      'h_bucket{a="b", le="+Inf"} 6 @5000 from 4000 # {i=3} 10000000 @3000',
      'TYPE g.h gaugehistogram',
      '{"g.h_gcount", a="b"} 2',
      '{"g.h_gsum", a="b"} -1',
      '{"g.h_bucket", a="b", le="+Inf"} 2',
    ])
  })

  test('reads native histograms, with the classic part when asked for it', () => {
    const line =
      'h {count:12,sum:120,schema:0,zero_threshold:1e-4,zero_count:1,negative_spans:[1:2],negative_buckets:[2,3],positive_spans:[-1:2,3:1],positive_buckets:[1,1,4],bucket:[0.5:1,+Inf:12]} st@1'
    const native = 'h {int schema 0 count 12 sum 120 zero 1<=0.0001 +[-1:2 3:1 = 1 1 4] -[1:2 = 2 3]} from 1000'
    const classic = ['h_count 12 from 1000', 'h_sum 120 from 1000', 'h_bucket{le="0.5"} 1 from 1000', 'h_bucket{le="+Inf"} 12 from 1000']
    const body = `# TYPE h histogram\n${line}\n`
    expect(openMetrics2(body)).toEqual(['TYPE h histogram', native])
    expect(openMetrics2(body, { keepClassic: true })).toEqual(['TYPE h histogram', native, ...classic])
    expect(openMetrics2(body, { nativeHistograms: false })).toEqual(['TYPE h histogram', ...classic])
    expect(openMetrics2('# TYPE h gaugehistogram\nh {count:0.5,sum:1,schema:2,positive_spans:[0:1],positive_buckets:[0.5]}\n')[1]).toBe(
      'h {float gauge schema 2 count 0.5 sum 1 +[0:1 = 0.5]}',
    )
    expect(openMetrics2('# TYPE h histogram\nh {count:0,sum:0,schema:2}\n')[1]).toBe('h {int schema 2 count 0 sum 0}')
  })

  test('expands summaries', () => {
    expect(openMetrics2('# TYPE s summary\ns {count:2,sum:3,quantile:[0.5:1,1:2]} 7\ns{a="b"} {count:0,quantile:[]}\n')).toEqual([
      'TYPE s summary',
      's_count 2 @7000',
      's_sum 3 @7000',
      's{quantile="0.5"} 1 @7000',
      's{quantile="1.0"} 2 @7000',
      's_count{a="b"} 0',
    ])
  })

  test('converts classic histograms like other formats', () => {
    expect(openMetrics2('# TYPE h histogram\nh {count:2,sum:3,bucket:[0.5:1,+Inf:2]} st@3 # {} 0.1 5\n', { nhcb: true })).toEqual([
      'TYPE h histogram',
      'h {int schema -53 count 2 sum 3 +[0:2 = 1 1] bounds[0.5]} from 3000 # {} 0.1 @5000',
    ])
  })

  test.each([
    ['a 1', 'data does not end with # EOF'],
    ['a 1\n# EOF\n\n', 'unexpected data after # EOF'],
    ['\n# EOF', 'expected a valid start token'],
    ['# FOO a b\n# EOF', 'expected TYPE, HELP or UNIT'],
    ['# TYPE a untyped\n# EOF', 'invalid metric type "untyped"'],
    ['# TYPE a\n# EOF', 'expected text behind # TYPE'],
    ['a  1\n# EOF', 'invalid syntax'],
    ['a{b="c" 1\n# EOF', 'expected comma or brace close'],
    ['a{b="c",,} 1\n# EOF', 'expected label name'],
    ['a{b} 1\n# EOF', 'expected equal'],
    ['{b="c"} 1\n# EOF', 'metric name not set'],
    ['a{"b"} 1\n# EOF', 'expected equal'],
    ['a 1 NaN\n# EOF', 'invalid timestamp'],
    ['a 1 st@NaN\n# EOF', 'invalid start timestamp'],
    ['a 1 # {} 1\n# EOF', 'expected a space and a number'],
    ['a 1 # {} 1 2 \n# EOF', 'expected timestamp, start timestamp or exemplar'],
    ['a {}\n# EOF', 'expected a key and a colon'],
    ['a {sum:1}\n# EOF', 'expected count'],
    ['a {count:1,count:1}\n# EOF', 'each key once'],
    ['a {count:1,foo:1}\n# EOF', 'unknown key "foo"'],
    ['a {count:1\n# EOF', 'expected comma or brace close'],
    ['a {count:1,bucket:[1:2\n# EOF', 'expected comma or bracket close'],
    ['a {count:1,bucket:[1]}\n# EOF', 'expected a colon'],
    ['a {count:1,zero_count:1}\n# EOF', 'without schema'],
    ['a {count:1,schema:9.5}\n# EOF', 'invalid schema'],
    ['a {count:1,schema:0,positive_spans:[0:4000000000],positive_buckets:[1]}\n# EOF', 'want at most'],
    ['a {count:1,schema:0,positive_spans:[0:0.5],positive_buckets:[1]}\n# EOF', 'expected whole numbers'],
    ['a {count:1,schema:0,positive_spans:[0:2],positive_buckets:[1]}\n# EOF', 'spans need 2 buckets, have 1'],
    ['a {count:1,quantile:[1:1],bucket:[1:1]}\n# EOF', 'unexpected bucket in the value of a summary'],
    ['a{b="\xff"} 1\n# EOF', 'expected UTF-8'],
  ])('refuses %j', (body, problem) => {
    expect(errorOf(() => read('openmetrics2', Buffer.from(body, 'latin1')))).toContain(problem)
  })

  test('tells the line and what stands there', () => {
    expect(errorOf(() => openMetrics2('a 1\nb x\n'))).toBe('strconv.ParseFloat: parsing "x": invalid syntax while parsing: "b x" (line 2)')
  })
})

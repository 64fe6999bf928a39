import { describe, expect, test } from 'vitest'
import { parseTimestampNanos } from './timestamp-nanos.ts'
import { validateOpenMetrics } from './validate-openmetrics.ts'

function problems(text: string, end = '# EOF\n'): string[] {
  return validateOpenMetrics(Buffer.from(text + end)).map(({ line, text: problem }) => `${line}: ${problem}`)
}

describe('validateOpenMetrics', () => {
  test.each([
    '',
    'a 1\n',
    '# HELP a \n# UNIT a \n# TYPE a unknown\na{} NaN -1.5e3\n',
    '# TYPE a counter\na_total{foo="b\\"a\\n\\\\",x=""} 1\na_total 2\na_created 123.5\n',
    '# TYPE a counter\na_total 1 12345678901234567890.1234567890\na_total 2 12345678901234567890.1234567891\n',
    '# TYPE a histogram\na_bucket{le="0.00000000001"} 0\na_bucket{le="1e-04"} 0\na_bucket{le="2"} 3\na_bucket{le="+Inf"} 3\na_count 3\na_sum 0\na_created 0\n',
    '# TYPE a histogram\na_bucket{le="-1.0"} 0\na_bucket{le="1.0"} 1\na_bucket{le="+Inf"} 3\n',
    '# TYPE a histogram\na_bucket{le="+Inf"} 3 1\na_bucket{le="+Inf"} 3 2\n',
    '# TYPE a histogram\na_bucket{b="1",le="+Inf"} 3\na_bucket{b="2",le="+Inf"} 3\n',
    '# TYPE a gaugehistogram\na_bucket{le="-1.0"} 1\na_bucket{le="+Inf"} 3\na_gcount 3\na_gsum -5\n',
    '# TYPE a gaugehistogram\na_gsum 5\na_gcount 3\na_bucket{le="+Inf"} 3 # {} NaN\n',
    '# TYPE a summary\na{quantile="0"} NaN\na{quantile="1"} 2\na_sum 0\na_count 0\na_created 1\n',
    '# TYPE a info\na_info{a="1",foo="bar"} 1 1\na_info{a="2",foo="bar"} 1 0\n',
    '# TYPE a stateset\na{a="bar"} 0\na{a="foo"} 1.0\na{a="foo",b="c"} 1\n',
    '# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n# TYPE b gauge\nb 1\n',
    '# TYPE "my.total" gauge\n{"my.total"} 1\n{"my.total","x.y"="z"} 1\n',
    '# TYPE a counter\na_total{foo="} foo # bar # ,}"} 1 # {b="# ,}"} 1\n',
    `# TYPE a counter\na_total 1 # {a="${'x'.repeat(127)}"} 1\n`,
  ])('accepts %j', (text) => {
    expect(problems(text)).toEqual([])
  })

  test.each([
    ['a 1\n\n', '2: expected a valid start token'],
    ['a 1\r\n', '1: strconv.ParseFloat: parsing "1\\r"'],
    [' a 1\n', '1: expected a valid start token'],
    ['a 1 \n', '1: expected'],
    ['a 1 1 1\n', '1: expected next entry after timestamp'],
    ['a 1 NaN\n', '1: invalid timestamp NaN'],
    ['a{b="c",} 1\n', '1: comma behind the last label'],
    ['a{b="c",b="d"} 1\n', '1: label name "b" is not unique'],
    ['# TYPE a untyped\n', '1: invalid metric type'],
    ['# UNIT a seconds\n', '1: unit "seconds" not a suffix'],
    ['# TYPE x_u info\n# UNIT x_u u\n', '3: metric family x_u of type info has a unit'],
    ['# TYPE x_u stateset\n# UNIT x_u u\n', '3: metric family x_u of type stateset has a unit'],
    ['a 1\n# HELP a x\n', '2: HELP of a stands behind its samples'],
    ['# TYPE a gauge\n# TYPE a gauge\n', '2: TYPE of a stands there twice'],
    ['# HELP a \n# HELP a \n', '2: HELP of a stands there twice'],
    ['# UNIT a \n# UNIT a \n', '2: UNIT of a stands there twice'],
    ['a 1\nb 1\na{c="d"} 1\n', '4: name a of metric family a is another'],
    ['# TYPE a info\n# HELP b x\n# TYPE a info\n', '4: name a of metric family a'],
    ['# TYPE a_created gauge\n# TYPE a counter\n', '3: name a_created of metric family a'],
    ['# TYPE a counter\na_total 1\n# TYPE a_total gauge\n', '4: name a_total of metric family a_total'],
    ['# TYPE a_total counter\na_total 1\n', 'name a_total of metric family a_total'],
    ['# TYPE a counter\na 1\n', 'name a of metric family a'],
    ['# TYPE a counter\na_created 1\n', '3: counter without a_total'],
    ['# TYPE a counter\na_total 1\na_created NaN\n', '3: _created is no time'],
    ['# TYPE a counter\na_total -1\n', '2: value of _total is negative'],
    ['# TYPE a counter\na_total NaN\n', '2: value of _total is NaN'],
    ['# TYPE a summary\na_count NaN\n', '2: value of _count is NaN'],
    ['# TYPE a summary\na_sum -1\n', '2: value of _sum is negative'],
    ['# TYPE a summary\na{quantile="0.5"} -1\n', '2: quantile has a negative value'],
    ['# TYPE a summary\na 0\n', '2: quantile is "", want'],
    ['# TYPE a summary\na{quantile="1.01"} 0\n', '2: quantile is "1.01"'],
    ['# TYPE a histogram\na_bucket{le="NaN"} 0\n', '2: le of a bucket is "NaN"'],
    ['# TYPE a histogram\na_bucket{le="Inf"} 0\n', '2: le is written Inf, want +Inf'],
    ['# TYPE a histogram\na_bucket{le="0"} 0\n', '3: no bucket of +Inf'],
    ['# TYPE a histogram\na_bucket{le="1"} 0\na_bucket{le="1.0"} 0\na_bucket{le="+Inf"} 0\n', '3: buckets are not in ascending order'],
    ['# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\n', '3: bucket counts less'],
    ['# TYPE a histogram\na_bucket{le="+Inf"} 1\na_count 2\na_sum 1\n', '5: _count is not the count'],
    ['# TYPE a histogram\na_bucket{le="+Inf"} 1\na_sum 1\n', '4: _sum without _count'],
    ['# TYPE a histogram\na_bucket{le="+Inf"} 1\na_count 1\n', '4: _count without _sum'],
    ['# TYPE a histogram\na_bucket{le="+Inf"} 1\na_sum -1\na_count 1\n', '5: _sum is negative'],
    ['# TYPE a histogram\na_bucket{le="-1"} 1\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n', '6: _sum beside buckets of negative le'],
    ['# TYPE a gaugehistogram\na_bucket{le="+Inf"} 1\na_gsum NaN\na_gcount 1\n', '3: value of _gsum is NaN'],
    ['# TYPE a gaugehistogram\na_bucket{le="+Inf"} 1\na_gsum -1\na_gcount 1\n', '5: _gsum is negative'],
    [
      '# TYPE a histogram\na_bucket{b="1",le="+Inf"} 0\na_bucket{b="2",le="+Inf"} 0\na_count{b="1"} 0\n',
      '4: lines of a with "b 1" are not together',
    ],
    ['# TYPE a gauge\na 0 -1\na 0 -1.0000000001\na 0 -1.1\n', '4: timestamps of the metric go backwards'],
    ['# TYPE a gauge\na 0\na 0 0\n', '3: some lines of the metric have a timestamp'],
    ['# TYPE a gauge\na 0\na 1\n', '3: sample stands there twice'],
    ['# TYPE a stateset\na{a="b"} 2\n', '2: value of a stateset is 2'],
    ['# TYPE a stateset\na{b="a"} 1\n', '2: no label a with the state'],
    ['# TYPE a info\na_info 2\n', '2: value of an info is 2'],
    ['# TYPE a info\na 1\n', 'name a of metric family a'],
    ['# TYPE a gauge\na 1 # {a="b"} 1\n', '2: exemplar on a sample that is neither'],
    ['# TYPE a_bucket gauge\na_bucket 1 # {a="b"} 0.5\n', '2: exemplar on a sample that is neither'],
    ['# TYPE a histogram\na_sum 1 # {a="b"} 0.5\n', '2: exemplar on a sample that is neither'],
    ['# TYPE a counter\na_total 1 # {a="b",} 1\n', '2: comma behind the last label'],
    ['# TYPE a counter\na_total 1 # {a="b",a="c"} 1\n', '2: label of the exemplar stands there twice'],
    [`# TYPE a counter\na_total 1 # {a="${'x'.repeat(128)}"} 1\n`, '2: labels of the exemplar have 129 characters'],
  ])('finds what is wrong with %j', (text, problem) => {
    expect(problems(text).join('\n')).toContain(problem)
  })

  test.each(['# EOF\n\n', '# EOF\na 1\n', '# EOFx', '#EOF\n', '# EOF x\n', ''])('refuses the end %j', (end) => {
    expect(problems('a 1\n', end)).toHaveLength(1)
  })

  test('reports each problem with its line, and no more than a hundred', () => {
    expect(problems('# TYPE a counter\na_total -1\n# TYPE b info\nb_info 3\n')).toEqual([
      '2: value of _total is negative',
      '4: value of an info is 3, want 1',
    ])
    expect(problems('a 1\n'.repeat(1000))).toHaveLength(100)
  })
})

describe('parseTimestampNanos', () => {
  test.each([
    ['0.0000000001', 0n],
    ['1.5', 1_500_000_000n],
    ['-1.', -1_000_000_000n],
    ['.25', 250_000_000n],
    ['12345678901234567890.1234567890', 12_345_678_901_234_567_890_123_456_789n],
    ['1.5e3', 1_500_000_000_000n],
    ['Inf', undefined],
    ['', undefined],
    ['.', undefined],
    ['x', undefined],
  ])('reads %j', (text, nanos) => {
    expect(parseTimestampNanos(text)).toBe(nanos)
  })
})

import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { checkMetrics } from './check-metrics.ts'

// Beside promtool: the same lints, tables and exit codes.

describe('narthex check metrics beside promtool', () => {
  const pages = [
    `# TYPE a counter
a{fooBar="1",le="2"} 1
a{fooBar="2",le="2"} 1
# HELP b_total x
# TYPE b_total gauge
b_total{quantile="1"} 1
# HELP c_milliseconds x
# TYPE c_milliseconds histogram
c_milliseconds_bucket{aB="c",le="1"} 1
c_milliseconds_bucket{aB="c",le="+Inf"} 1
c_milliseconds_count{aB="c"} 1
c_milliseconds_sum{aB="c"} 1
# HELP gauge_ms_gauge_x d
# TYPE gauge_ms_gauge_x gauge
gauge_ms_gauge_x 1
d:e_s_ms 1
# HELP q_bucket x
# TYPE q_bucket gauge
q_bucket 1
# HELP q_count x
# TYPE q_count gauge
q_count 1
# HELP q_sum x
# TYPE q_sum counter
q_sum 1
x_untyped 1
s{quantile="0.1"} 1
fooBar_Minutes 1
# HELP unused x
# TYPE unused gauge
`,
    [...'amperes bytes celsius grams joules kelvin kelvins meters metres moles seconds volts minutes hours days weeks'.split(' ')]
      .concat('fahrenheit rankine inches yards miles feet bits calories pounds ounces hertz mebibytes exabytes millikelvin'.split(' '))
      .concat('s ms us ns sec b kb mb gb tb pb m h d min'.split(' '))
      .map((unit) => `# HELP x_${unit} y\nx_${unit} 1\n# HELP kilo${unit}_x y\nkilo${unit}_x 1\n`)
      .join(''),
    `# HELP c_seconds x
# TYPE c_seconds histogram
c_seconds_bucket{a="c",le="1"} 1
c_seconds_bucket{a="c",le="+Inf"} 1
c_seconds_count{a="c"} 1
c_seconds_sum{a="c"} 1
c_seconds_count{a="d"} 1
# HELP t x
# TYPE t summary
t{quantile="0.1"} 1
t{quantile="0.5"} 1
t_sum 1
t_count 1
# HELP g x
# TYPE g gauge
g{a="1"} 1
g{a="2"} 1
g{a="3"} 1
# HELP aaaaaaaaaaaaaaaaaaaaaaaaaaaaa_total x
# TYPE aaaaaaaaaaaaaaaaaaaaaaaaaaaaa_total counter
aaaaaaaaaaaaaaaaaaaaaaaaaaaaa_total 1
`,
    'a 1\n# TYPE a gauge\n',
    'a x\n',
    '# TYPE a meh\n',
    '',
  ]

  test.each(pages)('says the same and ends with the same code', (page) => {
    const theirs = spawnSync('promtool', ['check', 'metrics', '--extended'], { input: page, encoding: 'utf8' })
    const ours = checkMetrics(Buffer.from(page), { format: undefined, extended: true, lints: true })
    expect(ours.exitCode).toBe(theirs.status)
    // Its words for what it cannot read are those of another parser than the one that scrapes.
    if (ours.exitCode !== 1) expect(ours.errors).toEqual(theirs.stderr.split('\n').filter((line) => line !== ''))
    // 2.42 counts nothing of a page that breaks conventions, 3 does.
    if (page !== '' && theirs.status !== 3) expect(ours.output).toBe(theirs.stdout)
  })
})

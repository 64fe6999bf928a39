import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkMetrics, runCheckMetrics } from './check-metrics.ts'
import type { CheckMetricsOptions } from './check-metrics.ts'

const defaults: CheckMetricsOptions = { format: undefined, extended: false, lints: true }
const check = (text: string, options: Partial<CheckMetricsOptions> = {}) => checkMetrics(Buffer.from(text), { ...defaults, ...options })

const good = '# HELP a_total b\n# TYPE a_total counter\na_total 1\n'
const goodOpenMetrics = '# HELP a b\n# TYPE a counter\na_total 1\na_created 1\n# TYPE b info\n# HELP b x\nb_info 1\n# EOF\n'

describe('checkMetrics', () => {
  test('says nothing about a good page', () => {
    expect(check(good)).toEqual({ output: '', errors: [], exitCode: 0 })
    expect(check('')).toEqual({ output: '', errors: [], exitCode: 0 })
  })

  test('finds the format by the last line, and takes the one it is told', () => {
    expect(check('a_total 1\n# EOF\n').exitCode).toBe(3)
    expect(check('a_total 1\na_total 2\n# EOF\n').errors).toEqual([
      'error while linting: openmetrics format parsing error in line 2: sample stands there twice without timestamps',
    ])
    expect(check('a_total 1\na_total 2\n# EOF\n', { format: 'text' }).exitCode).toBe(3)
    expect(check(good, { format: 'openmetrics' })).toMatchObject({ exitCode: 1 })
  })

  test('names a counter of OpenMetrics as its samples are', () => {
    expect(check(goodOpenMetrics)).toEqual({ output: '', errors: [], exitCode: 0 })
    expect(check(goodOpenMetrics.replace('# HELP a b\n', '')).errors).toEqual(['a_total no help text'])
  })

  test.each([
    ['a 1\n# TYPE a gauge\n', 'line 2: second TYPE line for metric name "a", or TYPE reported after samples'],
    ['a 1\n# HELP a x\n# HELP a y\n', 'line 3: second HELP line for metric name "a"'],
    ['a{b="c",b="d"} 1\n', 'line 1: label name "b" is not unique'],
    ['a 1\nb x\n', 'line 2: strconv.ParseFloat: parsing "x": invalid syntax'],
  ])('cannot read %j', (text, problem) => {
    const { errors, exitCode } = check(text)
    expect(exitCode).toBe(1)
    expect(errors).toHaveLength(1)
    expect(errors[0]).toContain(`error while linting: text format parsing error in ${problem}`)
  })

  test('reports a repeated sample, and nothing at all without lints', () => {
    expect(check(`${good}a_total 1\n`).errors).toEqual(['a_total metric not unique'])
    expect(check(`${good}a_total 1\n`, { lints: false })).toEqual({ output: '', errors: [], exitCode: 0 })
  })
})

describe('runCheckMetrics', () => {
  test('reads a file and ends with the exit code of its problems', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'narthex-check-'))
    try {
      const path = join(folder, 'page.txt')
      writeFileSync(path, 'a 1\n')
      await expect(runCheckMetrics([path])).rejects.toMatchObject({ exitCode: 3, message: 'a no help text' })
      await expect(runCheckMetrics([path, '--lint=none'])).resolves.toBeUndefined()
      await expect(runCheckMetrics([join(folder, 'none')])).rejects.toMatchObject({ exitCode: 1 })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

const hasPromtool = spawnSync('promtool', ['--version']).status === 0

describe.skipIf(!hasPromtool)('beside promtool', () => {
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
    const ours = check(page, { extended: true })
    expect(ours.exitCode).toBe(theirs.status)
    // Its words for what it cannot read are those of another parser than the one that scrapes.
    if (ours.exitCode !== 1) expect(ours.errors).toEqual(theirs.stderr.split('\n').filter((line) => line !== ''))
    if (page !== '') expect(ours.output).toBe(theirs.stdout)
  })
})

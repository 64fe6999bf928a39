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
  test('counts the series of a page that breaks conventions, too', () => {
    const { output, errors, exitCode } = checkMetrics(Buffer.from('a 1\n'), { format: undefined, extended: true, lints: true })
    expect([exitCode, errors, output]).toEqual([3, ['a no help text'], expect.stringMatching(/^Metric .*\na .*1 .*100.00%/)])
  })

  test('reads a file and ends with the exit code of its problems', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'narthex-check-'))
    try {
      const path = join(folder, 'page.txt')
      writeFileSync(path, 'a 1\n')
      await expect(runCheckMetrics([path])).rejects.toMatchObject({ exitCode: 3, message: 'a no help text' })
      await expect(runCheckMetrics([path, '--lint=none', '--extended'])).resolves.toBeUndefined()
      await expect(runCheckMetrics([path, '--lint=none'])).rejects.toMatchObject({
        exitCode: 1,
        message: expect.stringContaining('at least one'),
      })
      await expect(runCheckMetrics([join(folder, 'none')])).rejects.toMatchObject({ exitCode: 1 })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { launcher } from '@narthex/test/kit/narthex'
import { findProgram } from '@narthex/test/kit/packages'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'

// `narthex test rules` beside promtool on the same files: the same exit code, the same lines.

const temporary = makeTemporaryDirectory('narthex-test-rules-')
afterAll(() => temporary.remove())

const rules = `groups:
- name: second
  rules:
  - record: job:double
    expr: 2 * job:total
- name: first
  interval: 30s
  labels: {}
  rules:
  - record: job:total
    expr: sum by (job) (requests)
    labels: {kind: "sum"}
  - alert: Down
    expr: up == 0
    for: 2m
    labels: {severity: "{{ if gt $value 0.0 }}low{{ else }}page{{ end }}"}
    annotations:
      summary: "{{ $labels.instance }} of {{ $labels.job }} is down"
      external: '{{ $externalLabels.cluster }} {{ $externalURL }} {{ query "up" | len }}'
  - alert: Always
    expr: vector(1)
`.replace('  labels: {}\n', '')

let count = 0

/** Writes the rules and a file of tests, and runs a program on it. */
function runBoth(tests: string, ruleText: string = rules) {
  const directory = `case${count++}`
  spawnSync('mkdir', ['-p', join(temporary.path, directory)])
  const write = (name: string, text: string) => writeFileSync(join(temporary.path, directory, name), text)
  write('rules.yml', ruleText)
  write('test.yml', tests)
  const run = (program: string, args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(program, [...args, 'test', 'rules', `${directory}/test.yml`], {
      cwd: temporary.path,
      encoding: 'utf8',
    })
    return { status, stdout, stderr }
  }
  return { ours: run(launcher, []), theirs: run(findProgram('promtool')!, []) }
}

const head = 'rule_files: [rules.yml]\nevaluation_interval: 1m\n'
const series = `
  - interval: 1m
    input_series:
    - {series: 'up{job="a", instance="x"}', values: '1 0x4 _ _x2 1 stale'}
    - {series: 'up{job="b", instance="y"}', values: '0-0x20'}
    - {series: 'requests{job="a"}', values: '0+10x5 100-2.5x3 1e3 NaN Inf -Inf'}
    - {series: '{__name__="requests", job="b", path="/"}', values: '-1+1x20'}
`

const passing = `${head}group_eval_order: [first, second]
tests:${series}
    external_labels: {cluster: eu}
    external_url: http://here
    alert_rule_test:
    - eval_time: 3m
      alertname: Down
      exp_alerts:
      - exp_labels: {job: b, instance: y, severity: page}
        exp_annotations: {summary: y of b is down, external: eu http://here 2}
      - exp_labels: {job: a, instance: x, severity: page}
        exp_annotations: {summary: x of a is down, external: eu http://here 2}
    - {eval_time: 1m, alertname: Down}
    - {eval_time: 90s, alertname: Always, exp_alerts: [{}]}
    promql_expr_test:
    - {expr: 'job:total', eval_time: 2m, exp_samples: [{labels: 'job:total{job="a", kind="sum"}', value: 20}, {labels: 'job:total{job="b",kind="sum"}', value: 1}]}
    - {expr: 'job:double{job="a"}', eval_time: 4m, exp_samples: [{labels: '{__name__="job:double", job="a", kind="sum"}', value: 80}]}
    - {expr: 'requests{job="a"}', eval_time: 8m, exp_samples: [{labels: 'requests{job="a"}', value: 95}]}
    - {expr: 'count_over_time(up{job="a"}[21m])', eval_time: 20m, exp_samples: [{labels: '{job="a", instance="x"}', value: 7}]}
    - {expr: 'up{job="a"}', eval_time: 10m}
    - {expr: '1 + 1', eval_time: 0s, exp_samples: [{value: 2}]}
    - {expr: 'ALERTS{alertname="Down", alertstate="firing", job="b"}', eval_time: 5m, exp_samples: [{labels: 'ALERTS{alertname="Down", alertstate="firing", instance="y", job="b", severity="page"}', value: 1}]}
`

const failing = `${head}tests:${series}
    name: what fails
    alert_rule_test:
    - {eval_time: 3m, alertname: Down, exp_alerts: [{exp_labels: {job: b}}]}
    - {eval_time: 0m, alertname: Down, exp_alerts: [{exp_labels: {job: b}, exp_annotations: {summary: 'a "quoted" one'}}]}
    - {eval_time: 3m, alertname: Always}
    - {eval_time: 3m, alertname: Unknown, exp_alerts: [{}]}
    promql_expr_test:
    - {expr: 'sum(requests)', eval_time: 2m, exp_samples: [{labels: '{}', value: 1}]}
    - {expr: 'requests', eval_time: 1h30m}
    - {expr: 'requests{job="b"}', eval_time: 1m, exp_samples: [{labels: 'requests', value: 1e-9}]}
    - {expr: 'sum(', eval_time: 2m}
    - {expr: 'requests[5m]', eval_time: 2m}
    - {expr: 'requests{job="a"}', eval_time: 10m, exp_samples: [{labels: 'requests{job="a"}', value: NaN}]}
    - {expr: 'requests{job="a"}', eval_time: 11m, exp_samples: [{labels: 'requests{job="a"}', value: -.inf}]}
`

describe('test rules has the verdict and the lines of promtool for', () => {
  const cases: readonly { what: string; tests: string; ruleText?: string }[] = [
    { what: 'tests that pass', tests: passing },
    { what: 'tests that fail', tests: failing },
    { what: 'a file without tests', tests: head },
    { what: 'an alert test without a name', tests: `${head}tests: [{name: n, alert_rule_test: [{eval_time: 1m}]}]` },
    { what: 'an unknown key', tests: `${head}testz: []` },
    { what: 'an unknown key deep inside', tests: `${head}tests: [{promql_expr_test: [{expr: up, eval_time: 1m, exp_sample: []}]}]` },
    { what: 'a wrong type', tests: `${head}tests: {}` },
    { what: 'a group that is named twice', tests: `${head}group_eval_order: [first, second, first]` },
    { what: 'rules that are not there', tests: head.replace('rules.yml', 'nothing*.yml') },
    { what: 'a pattern of rule files that is none', tests: head.replace('rules.yml', "'[.yml'") },
    { what: 'broken rules that no test needs', tests: head, ruleText: 'groups: [{name: a, rules: [{record: r, expr: sum(}]}]' },
    {
      what: 'broken rules, once a test',
      tests: `${head}tests: [{name: one}, {name: two}]`,
      ruleText: 'groups: [{name: a, rules: [{record: r, expr: "sum("}]}]',
    },
    {
      what: 'an unknown key in rules',
      tests: `${head}tests: [{}]`,
      ruleText: 'groups: [{name: a, team: b, rules: []}]',
    },
    { what: 'nothing in the place of a test', tests: `${head}tests: [null]` },
    { what: 'nothing in the place of expected alerts', tests: `${head}tests: [{alert_rule_test: [null]}]` },
    {
      what: 'series of the same labels, of which the later counts; blank ones and comments',
      tests: `${head}tests:
- input_series: [{series: x, values: 1 2}, {series: '{__name__="x"}', values: '3'}, {series: z, values: '5'}, {series: '# y', values: '4'}]
  promql_expr_test:
  - {expr: 'x', eval_time: 1m, exp_samples: [{labels: x, value: 3}]}
  - {expr: 'z', eval_time: 0s, exp_samples: [{labels: z, value: 5}]}
  - {expr: 'y', eval_time: 0s}
`,
    },
    {
      what: 'empty labels of rules, which take labels away',
      tests: `${head}tests:
- input_series: [{series: 'up{job="a", instance="x"}', values: '1'}, {series: 'up{job="b", instance="y"}', values: '1'}]
  promql_expr_test:
  - {expr: r, eval_time: 0s, exp_samples: [{labels: 'r{job="a"}', value: 1}, {labels: 'r{job="b"}', value: 1}]}
  alert_rule_test: [{eval_time: 0s, alertname: A, exp_alerts: [{exp_labels: {job: a}}, {exp_labels: {job: b}}]}]
`,
      ruleText:
        'groups: [{name: g, rules: [{record: r, expr: up, labels: {instance: ""}}, {alert: A, expr: up, labels: {instance: "", zone: ""}}]}]',
    },
    {
      what: 'empty labels of rules that make series the same',
      tests: `${head}tests: [{input_series: [{series: 'up{job="a"}', values: '1'}, {series: 'up{job="b"}', values: '1'}]}]`,
      ruleText: 'groups: [{name: g, rules: [{record: r, expr: up, labels: {job: ""}}, {alert: A, expr: up, labels: {job: ""}}]}]',
    },
    {
      what: 'numbers as Go reads them',
      tests: `${head}tests: [{input_series: [{series: x, values: 010 1e-400 0x2}], promql_expr_test: [{expr: 'sum_over_time(x[10m])', eval_time: 4m, exp_samples: [{value: 8}]}]}]`,
    },
    {
      what: 'times between evaluations',
      tests: `${head}tests:
- interval: 30s
  input_series: [{series: 'up{instance="x", job="a"}', values: '0x10'}]
  external_labels: {}
  alert_rule_test:
  - {eval_time: 119s, alertname: Down}
  - {eval_time: 150s, alertname: Down, exp_alerts: [{exp_labels: {instance: x, job: a, severity: page}, exp_annotations: {summary: x of a is down, external: '  1'}}]}
  - {eval_time: 5s, alertname: Always, exp_alerts: [{exp_labels: {a: b}}]}
  promql_expr_test:
  - {expr: ALERTS, eval_time: 4m}
  - {expr: 'count(ALERTS_FOR_STATE)', eval_time: 90s500ms, exp_samples: [{value: 2}]}
`,
    },
    {
      what: 'a rule that fails',
      tests: `${head}tests: [{promql_expr_test: [{expr: up, eval_time: 1m}]}]`,
      ruleText:
        'groups: [{name: g, rules: [{record: a, expr: "vector(1) + on() (vector(1) or label_replace(vector(1), \\"a\\", \\"b\\", \\"\\", \\"\\"))"}]}]',
    },
  ]

  test.each(cases)('$what', ({ tests, ruleText }) => {
    const { ours, theirs } = runBoth(tests, ruleText)
    expect(ours).toEqual(theirs)
  })

  test('a file that is no YAML, in words of its own', () => {
    const { ours, theirs } = runBoth('rule_files: [')
    expect([ours.status, ours.stdout]).toEqual([theirs.status, theirs.stdout])
    expect(ours.stderr).toMatch(/^ {2}FAILED:\nyaml: line 1: /)
  })

  test('series that cannot be read, in words of its own', () => {
    for (const values of ['1 two', '1+1', '1x', 'stale2', '1e400', 'NaNx2', '1+NaNx2', '1 # 2', '1 stalex2']) {
      const { ours, theirs } = runBoth(`${head}tests: [{input_series: [{series: up, values: '${values}'}]}]`)
      expect([ours.status, ours.stdout], values).toEqual([theirs.status, theirs.stdout])
      expect(ours.stderr).toMatch(/^ {2}FAILED:\ncannot read series "up .*": cannot read value /)
    }
    for (const name of ['up {a="b"}', '', 'up{a!="b"}', 'up{', '1up', 'on']) {
      const { ours, theirs } = runBoth(`${head}tests: [{input_series: [{series: '${name}', values: '1'}]}]`)
      expect([ours.status, ours.stdout], name).toEqual([theirs.status, theirs.stdout])
      expect(ours.stderr).toMatch(/^ {2}FAILED:\ncannot read series ".*1": /)
    }
    // promtool tells these with each evaluation.
    for (const name of ['{}', 'up{a="b",a="c"}']) {
      const { ours, theirs } = runBoth(`${head}tests: [{input_series: [{series: '${name}', values: '1'}]}]`)
      expect([ours.status, theirs.status], name).toEqual([1, 1])
      expect(ours.stderr).toMatch(/^ {2}FAILED:\ncannot read series ".*1": .*(neither|is not unique)\n$/)
    }
  })
})

describe('what newer promtools have', () => {
  const run = (...args: readonly string[]) => spawnSync(launcher, ['test', 'rules', ...args], { cwd: temporary.path, encoding: 'utf8' })
  const twoTests = `${head}tests:
- {name: good, promql_expr_test: [{expr: '0.1 + 0.2', eval_time: 0s, exp_samples: [{value: 0.30000000000000004}]}]}
- {name: bad & worse, promql_expr_test: [{expr: '0.1 + 0.2', eval_time: 0s, exp_samples: [{value: 0.3}]}]}
`

  test('runs the tests that --run names, and writes what happened with --junit', () => {
    writeFileSync(join(temporary.path, 'rules.yml'), rules)
    writeFileSync(join(temporary.path, 'two.yml'), twoTests)
    expect(run('--run=^go', 'two.yml').stdout).toBe('Unit Testing:  two.yml\n  SUCCESS\n\n')
    expect(run('--junit=out.xml', 'two.yml').status).toBe(1)
    const xml = readFileSync(join(temporary.path, 'out.xml'), 'utf8').replace(/timestamp="[^"]*"/, 'timestamp="T"')
    expect(xml).toBe(
      '<testsuites><testsuite name="two.yml" tests="2" failures="1" errors="0" skipped="0" timestamp="T"><testcase name="good"></testcase>' +
        '<testcase name="bad &amp; worse"><failure>    expr: &#34;0.1 + 0.2&#34;, time: 0s,&#xA;        exp: {} 3E-01&#xA;        got: {} 3.0000000000000004E-01</failure>' +
        '</testcase></testsuite></testsuites>',
    )
  })

  test('takes a neighbour for the same with fuzzy_compare, and begins at start_timestamp', () => {
    writeFileSync(join(temporary.path, 'fuzzy.yml'), `${twoTests}fuzzy_compare: true\n`)
    expect(run('fuzzy.yml').status).toBe(0)
    const start = `${head}tests: [{start_timestamp: 2026-01-05T00:00:00Z, input_series: [{series: a, values: 7}], promql_expr_test: [{expr: timestamp(a), eval_time: 0s, exp_samples: [{value: 1767571200}]}]}]\n`
    writeFileSync(join(temporary.path, 'start.yml'), start)
    expect(run('start.yml').stderr).toBe('')
  })

  const histogramRules = `groups:
- name: histograms
  rules:
  - {record: 'job:latency:increase', expr: 'increase(latency[5m])'}
  - {record: 'job:latency', expr: 'sum by (job) (latency)'}
  - alert: Slow
    expr: histogram_avg(latency) > 1
  - alert: Any
    expr: latency
    annotations: {value: '{{ $value }} {{ $value.Count }}', of: '{{ query "latency" | first | value }}'}
`
  const histogramSeries = `
  - interval: 1m
    input_series:
    - {series: 'latency{job="a"}', values: '{{schema:1 sum:3 count:2 buckets:[2]}}+{{schema:1 sum:1.3 count:1 buckets:[1]}}x3 {{schema:1 sum:1 count:1 buckets:[1]}} stale'}
    - {series: 'latency{job="b"}', values: '{{schema:-53 sum:3 count:3 custom_values:[0.5 2] buckets:[1 2] counter_reset_hint:gauge}}x10'}
    - {series: plain, values: 1x10}
`
  const runHistograms = (expectations: string, ...flags: readonly string[]) => {
    writeFileSync(join(temporary.path, 'rules.yml'), histogramRules)
    writeFileSync(join(temporary.path, 'histograms.yml'), `${head}tests:${histogramSeries}${expectations}`)
    return run(...flags, 'histograms.yml')
  }

  test('passes over keys that rule files do not have with --ignore-unknown-fields', () => {
    writeFileSync(join(temporary.path, 'rules.yml'), rules.replace('- name: second', '- name: second\n  team: x'))
    writeFileSync(join(temporary.path, 'extended.yml'), `${head}tests: [{promql_expr_test: [{expr: up, eval_time: 1m}]}]`)
    expect(run('extended.yml').stderr).toContain('field team not found in type rulefmt.RuleGroup')
    expect(run('--ignore-unknown-fields', 'extended.yml')).toMatchObject({ status: 0, stderr: '' })
  })

  test('reads native histograms, runs rules on them and compares them, with what is known of resets', () => {
    const { stdout, stderr } = runHistograms(`
    alert_rule_test:
    - {eval_time: 1m, alertname: Slow, exp_alerts: [{exp_labels: {job: a}}]}
    - {eval_time: 1m, alertname: Any, exp_alerts: [{exp_labels: {job: a}, exp_annotations: {value: "{count:3, sum:4.3, (0.7071067811865475,1]:3} 3", of: "{count:3, sum:4.3, (0.7071067811865475,1]:3}"}}, {exp_labels: {job: b}, exp_annotations: {value: "{count:3, sum:3, [-Inf,0.5]:1, (0.5,2]:2} 3", of: "{count:3, sum:4.3, (0.7071067811865475,1]:3}"}}]}
    promql_expr_test:
    - {expr: latency, eval_time: 0s, exp_samples: [
        {labels: 'latency{job="a"}', histogram: '{{schema:1 sum:3 count:2 buckets:[2]}}'},
        {labels: 'latency{job="b"}', histogram: '{{schema:-53 sum:3 count:3 custom_values:[5e-1 2] counter_reset_hint:gauge buckets:[1 2]}}'}]}
    - {expr: 'latency{job="a"}', eval_time: 3m, exp_samples: [{labels: 'latency{job="a"}', histogram: '{{schema:1 count:5 sum:6.8999999999999995 counter_reset_hint:not_reset buckets:[5]}}'}]}
    - {expr: 'latency{job="a"}', eval_time: 4m, exp_samples: [{labels: 'latency{job="a"}', histogram: '{{schema:1 count:1 sum:1 buckets:[1]}}'}]}
    - {expr: 'latency{job="a"}', eval_time: 5m}
    - {expr: 'job:latency{job="a"}', eval_time: 1m, exp_samples: [{labels: 'job:latency{job="a"}', histogram: '{{schema:1 count:3 sum:4.3 counter_reset_hint:not_reset buckets:[3]}}'}]}
    - {expr: 'histogram_count(latency)', eval_time: 1m, exp_samples: [{labels: '{job="a"}', value: 3}, {labels: '{job="b"}', value: 3}]}
    - {expr: 'plain', eval_time: 1m, exp_samples: [{labels: plain, value: 1}]}
`)
    expect([stdout, stderr]).toEqual(['Unit Testing:  histograms.yml\n  SUCCESS\n\n', ''])
  })

  test('tells a histogram from another, and from a float', () => {
    const { status, stderr } = runHistograms(`
    promql_expr_test:
    - {expr: 'latency{job="a"}', eval_time: 0s, exp_samples: [{labels: 'latency{job="a"}', histogram: '{{schema:1 sum:3 count:2 buckets:[1 0 1]}}'}]}
    - {expr: 'latency{job="a"}', eval_time: 0s, exp_samples: [{labels: 'latency{job="a"}', value: 2}]}
    - {expr: plain, eval_time: 0s, exp_samples: [{labels: plain, histogram: '{{count:1}}'}]}
    - {expr: plain, eval_time: 0s, exp_samples: [{labels: plain, histogram: '{{count:1}}x1'}]}
    - {expr: plain, eval_time: 0s, exp_samples: [{labels: plain, histogram: '1'}]}
`)
    const got = '{__name__="latency", job="a"} {{schema:1 count:2 sum:3 buckets:[2]}}'
    expect([status, stderr.split('\n')]).toEqual([
      1,
      [
        '  FAILED:',
        '    expr: "latency{job=\\"a\\"}", time: 0s,',
        '        exp: {__name__="latency", job="a"} {{schema:1 count:2 sum:3 buckets:[1 0 1]}}',
        `        got: ${got}`,
        '    expr: "latency{job=\\"a\\"}", time: 0s,',
        '        exp: {__name__="latency", job="a"} 2E+00',
        `        got: ${got}`,
        '    expr: "plain", time: 0s,',
        '        exp: {__name__="plain"} {{count:1}}',
        '        got: {__name__="plain"} 1E+00',
        '    expr: "plain", time: 0s, err: labels "plain": expected 1 value, got 2',
        '    expr: "plain", time: 0s, err: labels "plain": expected histogram, got 1',
        '',
      ],
    ])
  })

  test('shows with --debug what is in the storage: the samples given and those of the rules', () => {
    writeFileSync(join(temporary.path, 'rules.yml'), 'groups: [{name: g, rules: [{record: r, expr: 2 * x}]}]')
    const text = `${head}tests:
- name: shown
  start_timestamp: 100
  input_series: [{series: 'x{job="a"}', values: '1 _ 2.5 stale'}, {series: h, values: '{{schema:0 sum:1 count:1 buckets:[1]}}'}]
  promql_expr_test: [{expr: vector(1), eval_time: 3m, exp_samples: [{labels: '{}', value: 1}]}]
- {}
`
    writeFileSync(join(temporary.path, 'debug.yml'), text)
    const { status, stdout } = run('--debug', 'debug.yml')
    expect([status, stdout.replace(/took [\d.]+ms/g, 'took T')]).toEqual([
      0,
      `Unit Testing:  debug.yml
DEBUG: Starting test shown
DEBUG: Dump of all data (input_series and rules) at 3m0s:
{__name__="h"} =>
{count:1, sum:1, (0.5,1]:1} @[100000]
{__name__="r", job="a"} =>
2 @[100000]
2 @[160000]
5 @[220000]
{__name__="x", job="a"} =>
1 @[100000]
2.5 @[220000]
DEBUG: Test shown finished, took T
DEBUG: Starting test unnamed#1
DEBUG: Dump of all data (input_series and rules) at 0s:

DEBUG: Test unnamed#1 finished, took T
  SUCCESS

`,
    ])
  })

  test('refuses a start_timestamp that is no RFC 3339 date', () => {
    writeFileSync(join(temporary.path, 'start.yml'), `${head}tests: [{start_timestamp: 2026-01-05}]`)
    expect(run('start.yml')).toMatchObject({
      status: 1,
      stderr: '  FAILED:\nstart.yml: 3:27: cannot parse "2026-01-05" to a valid timestamp\n',
    })
  })

  test('takes --junit in front of rules, and tells each test that the rules are broken', () => {
    writeFileSync(join(temporary.path, 'rules.yml'), 'groups: [{name: g, rules: [{record: r, expr: sum(}]}]')
    writeFileSync(join(temporary.path, 'two.yml'), twoTests)
    const { status } = spawnSync(launcher, ['test', '--junit', 'out.xml', 'rules', 'two.yml'], { cwd: temporary.path })
    expect([status, readFileSync(join(temporary.path, 'out.xml'), 'utf8').match(/tests="2" failures="2" errors="0"/)?.length]).toEqual([
      1, 1,
    ])
  })

  test('shows with --diff the lines that differ', () => {
    writeFileSync(join(temporary.path, 'rules.yml'), rules)
    writeFileSync(join(temporary.path, 'two.yml'), twoTests)
    expect(run('--diff', 'two.yml').stderr).toContain('\n            - {} 3E-01\n            + {} 3.0000000000000004E-01')
  })
})

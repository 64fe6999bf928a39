import { describe, expect, it } from 'vitest'
import { ConfigError } from './config-error.ts'
import { parsePrometheusConfig } from './prometheus-config.ts'

// What promtool 3.16 says of the same rules; the place is ours.

function problemOf(text: string): string {
  try {
    parsePrometheusConfig(text, { path: 'p.yml', mode: 'server' })
    return ''
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return `${error.line}:${error.column} ${error.goText}`
  }
}

const ofRule = (rule: string) => problemOf(`scrape_configs:\n- job_name: x\n  relabel_configs:\n  ${rule}\n`)
const requires = (action: string) => `relabel configuration for ${action} action requires 'target_label' value`

it.each([
  ['- {action: foo}', '4:14 unknown relabel action "foo"'],
  ['- {source_labels: [a]}', `4:5 ${requires('replace')}`],
  ['- {source_labels: [a], target_label: b, regex: "a(b"}', '4:43 error parsing regexp: missing closing ): `^(?s:a(b)$`'],
  ['- {source_labels: [a], target_label: b, regex: "a)"}', '4:43 error parsing regexp: unexpected ): `^(?s:a))$`'],
  ['- {source_labels: [a], target_label: b, regex: "[z-a]"}', '4:43 error parsing regexp: invalid character class range: `z-a`'],
  ['- {action: hashmod, target_label: b}', '4:5 relabel configuration for hashmod requires non-zero modulus'],
  ['- {action: hashmod, target_label: b, modulus: -2}', '4:49 yaml: unmarshal errors:\n  line 4: cannot unmarshal !!int `-2` into uint64'],
  ['- {action: labeldrop, regex: x, source_labels: []}', "4:5 labeldrop action requires only 'regex', and no other fields"],
  ['- {action: labelkeep, regex: x, target_label: y}', "4:5 labelkeep action requires only 'regex', and no other fields"],
  ['- {source_labels: [""], target_label: b}', '4:22 "" is not a valid label name'],
  ['- {action: uppercase, source_labels: [a]}', `4:5 ${requires('uppercase')}`],
  ['-', '4:4 empty or null target relabeling rule in scrape config'],
])('the rule %s is refused', (rule, problem) => {
  expect(ofRule(rule)).toBe(problem)
})

it.each([
  '- {action: labeldrop, regex: x, source_labels: }',
  '- {source_labels: [], target_label: b}',
  '- {action: RePlace, target_label: b}',
])('the rule %s is taken', (rule) => {
  expect(ofRule(rule)).toBe('')
})

describe('names by the scheme of Prometheus 2', () => {
  const rule = '{source_labels: [a], target_label: a-b}'
  const refused = '"a-b" is invalid \'target_label\' for replace action'
  const global = 'global: {metric_name_validation_scheme: legacy}\n'

  it.each([
    ['a job under it', `${global}scrape_configs: [{job_name: x, metric_relabel_configs: [${rule}]}]\n`, `2:57 ${refused}`],
    [
      'a job of its own',
      `scrape_configs: [{job_name: x, metric_name_validation_scheme: legacy, relabel_configs: [${rule}]}]\n`,
      `1:89 ${refused}`,
    ],
    ['alerts', `${global}alerting: {alert_relabel_configs: [${rule}]}\n`, `2:36 ${refused}`],
    ['alertmanagers', `${global}alerting: {alertmanagers: [{relabel_configs: [${rule}]}]}\n`, `2:47 ${refused}`],
    ['a remote', `${global}remote_write: [{url: "http://x", write_relabel_configs: [${rule}]}]\n`, `2:58 ${refused}`],
  ])('are required of %s', (_what, text, problem) => {
    expect(problemOf(text)).toBe(problem)
  })

  it('are not of a job with another scheme', () => {
    expect(problemOf(`${global}scrape_configs: [{job_name: x, metric_name_validation_scheme: utf8, relabel_configs: [${rule}]}]\n`)).toBe(
      '',
    )
  })
})

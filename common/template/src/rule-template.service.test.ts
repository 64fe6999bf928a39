import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { expandRuleTemplate, parseRuleTemplate } from './rule-template.ts'

const texts = [
  '{{ $labels.instance }} of {{ .Labels.job }} down {{ $value }} {{ $labels.missing }}|{{ $externalLabels.cluster }}|{{ $externalURL }}',
  '{{ range $n := args 0.0 1.0 -1.5 999.99 1234567.0 0.00001234 1e30 }}{{ humanize $n }} {{ humanize1024 $n }} {{ humanizeDuration $n }} {{ humanizePercentage $n }}|{{ end }}',
  '{{ range $n := args 1435065584.128 0.0 -1.5 }}{{ humanizeTimestamp $n }} {{ toTime $n }}|{{ end }}{{ (toTime 5).Format "Mon Jan _2 15:04:05.000 MST 2006" }}',
  '{{ title "aa b-c CC" }} {{ toUpper "aé" }} {{ toLower "AÉ" }} {{ stripPort "[::1]:80" }} {{ stripDomain "a.b.c:80" }}',
  '{{ match "a.*b" "xaxxb" }} {{ reReplaceAll "(a)(b)" "$2$1-$1x-${1}y" "abab" }} {{ graphLink "up{a=\\"b\\"} == 0" }} {{ parseDuration "1h30m" }}',
  '{{ with query "up" | first }}{{ .Labels.job }} {{ .Value }} {{ label "job" . }}{{ end }} {{ if query "absent_metric" }}x{{ else }}none{{ end }}',
  '{{ printf "%5.1f|%-8s|%08.3f|%x|%q|%v" $value $labels.job 3.14159 "hi" "a\\"b" $labels }} {{ len $labels }} {{ index $labels "job" }}',
  '{{ define "t" }}[{{ . }}]{{ end }}{{ template "t" $value }} {{- " trimmed " -}} x {{ range $k, $v := $labels }}{{ $k }}={{ $v }},{{ end }}',
  '{{ query "absent_metric" | first | value }}',
  '{{ $labels.job.x }}',
  '{{ humanize "abc" }}',
  '{{ reReplaceAll "(" "x" "y" }}',
]

function expand(text: string): string {
  const externalUrl = 'http://ext:9090/pre'
  const queries = new Map([
    ['up', [{ labels: Labels.from({ __name__: 'up', job: 'b' }), value: 0.5 }]],
    ['absent_metric', []],
  ])
  const labels = Labels.from({ __name__: 'm', job: 'a', instance: 'h:9100' })
  try {
    return expandRuleTemplate(
      parseRuleTemplate('__alert_x', text),
      { labels, externalLabels: Labels.from({ cluster: 'c1' }), externalUrl, value: 12.75 },
      { nowMs: 60_000, externalUrl, queries },
    )
  } catch (error) {
    return `<error expanding template: ${(error as Error).message}>`
  }
}

it('expands annotations to what promtool expands them to', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'narthex-rule-template-'))
  try {
    const annotations = (value: (text: string) => string) => texts.map((text, i) => `a${i}: ${JSON.stringify(value(text))}`).join(', ')
    await writeFile(
      join(directory, 'rules.yml'),
      `groups: [{ name: g, rules: [{ alert: x, expr: m, annotations: { ${annotations((text) => text)} } }] }]`,
    )
    await writeFile(
      join(directory, 'test.yml'),
      `rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- interval: 1m
  external_labels: { cluster: c1 }
  external_url: http://ext:9090/pre
  input_series:
  - { series: 'm{job="a",instance="h:9100"}', values: '12.75 12.75' }
  - { series: 'up{job="b"}', values: '0.5 0.5' }
  alert_rule_test:
  - eval_time: 1m
    alertname: x
    exp_alerts: [{ exp_labels: { job: a, instance: "h:9100" }, exp_annotations: { ${annotations(expand)} } }]
`,
    )
    // promtool ends with 1 and shows both texts if they differ.
    const { stdout } = await promisify(execFile)('promtool', ['test', 'rules', 'test.yml'], { cwd: directory })
    expect(stdout).toContain('SUCCESS')
  } finally {
    await rm(directory, { recursive: true })
  }
})

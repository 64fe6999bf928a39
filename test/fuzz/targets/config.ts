import { parseAlertmanagerConfig } from '@narthex/config/alertmanager-config'
import { markPlaceholders } from '@narthex/config/placeholders'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { parseTemplate } from '@narthex/template/template'
import { decode, encode, ensure, type FuzzTarget } from '../fuzz-target.ts'

/** Inputs of `npm test`: YAML takes its time. */
const share = 300

export const configTargets: readonly FuzzTarget[] = [
  {
    name: 'prometheus-config',
    seeds: [
      encode(`global:
  scrape_interval: 15s
  external_labels: {a: b}
scrape_configs:
  - job_name: x
    static_configs: [{targets: ['a:1'], labels: {b: c}}]
    relabel_configs:
      - {source_labels: [__address__], regex: '(.*):.*', target_label: host, action: replace}
remote_write:
  - url: http://a/b
    basic_auth: {username: u, password: p}
`),
    ],
    refusals: ['ConfigError'],
    share,
    read: (bytes) => void parsePrometheusConfig(decode(bytes), { path: 'fuzz.yml', mode: 'server', env: {} }),
  },
  {
    name: 'config-placeholders',
    seeds: [
      encode(`global: {external_labels: {a: '%{A}', b: "x%%{A}%{EMPTY}%{}"}}
scrape_configs:
  - job_name: %{A}
    static_configs: [{targets: ['%{A}:%{PORT}']}]
remote_write: [{url: "http://%{A}/", headers: {X: %{B}}}]
`),
    ],
    refusals: ['ConfigError'],
    share,
    read(bytes) {
      const text = decode(bytes)
      const marked = markPlaceholders(text)
      ensure(marked.text.length === text.length, 'a mark has another length')
      ensure(marked.mark !== undefined || marked.text === text, 'a text changes without a mark')
      ensure(marked.mark === undefined || !text.includes(marked.mark), 'the mark stands in the text')
      parsePrometheusConfig(text, { path: 'fuzz.yml', mode: 'agent', env: { A: 'h', B: 'x: {y', PORT: '9', EMPTY: '' } })
    },
  },
  {
    name: 'alertmanager-config',
    seeds: [
      encode(`route:
  receiver: a
  group_by: [alertname]
  routes: [{matchers: ['severity=~"a|b"'], receiver: b, continue: true}]
receivers: [{name: a}, {name: b, webhook_configs: [{url: 'http://x'}]}]
`),
    ],
    refusals: ['ConfigError'],
    share,
    read: (bytes) => void parseAlertmanagerConfig(decode(bytes), 'fuzz.yml'),
  },
  {
    name: 'template',
    seeds: [encode('{{ range $i, $x := .Labels }}{{ if eq $x "a" }}{{ $x | printf "%q" }}{{ else }}-{{ end }}{{ end }}{{- /* c */ -}}')],
    refusals: ['TemplateError'],
    read: (bytes) => void parseTemplate('fuzz', decode(bytes), {}),
  },
]

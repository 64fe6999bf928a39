import { expect, it } from 'vitest'
import { createAlertmanagerFunctions } from './alertmanager-functions.ts'
import { GoTime } from './go-time.ts'
import { KeyValues } from './key-values.ts'
import { executeTemplate, parseTemplate } from './template.ts'

const nowMs = Date.UTC(2024, 1, 29, 13, 4, 5)
const functions = createAlertmanagerFunctions({ nowMs })

class Alerts extends Array<unknown> {
  Firing(): unknown[] {
    return [...this]
  }
}

const data = {
  CommonLabels: new KeyValues([
    ['severity', 'page'],
    ['alertname', 'Down'],
    ['job', 'node'],
  ]),
  Alerts: Alerts.of({ StartsAt: GoTime.fromMs(nowMs - 90_500), EndsAt: GoTime.zero, Labels: new KeyValues([['a', '<1>']]) }),
}

const run = (text: string) => executeTemplate(parseTemplate('', text, functions), data, functions)

it.each([
  ['{{ .CommonLabels.SortedPairs.Values | join " " }}', 'Down node page'],
  ['{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}', 'alertname=Down job=node severity=page '],
  ['{{ (.CommonLabels.Remove (stringSlice "job" "alertname")).Names | join "," }}', 'severity'],
  ['{{ with .CommonLabels.Remove .CommonLabels.Names }}x{{ else }}none{{ end }}', 'none'],
  ['{{ .CommonLabels.job }}{{ .CommonLabels.missing }}', 'node'],
  ['{{ .Alerts.Firing | len }} {{ range .Alerts.Firing }}{{ .Labels.a }}{{ end }}', '1 <1>'],
  ['{{ (index .Alerts 0).StartsAt.Format "15:04:05" }} {{ since (index .Alerts 0).StartsAt | humanizeDuration }}', '13:02:34 1m 30s'],
  ['{{ (index .Alerts 0).StartsAt | tz "Europe/Berlin" | date "2006-01-02 15:04 MST -0700" }}', '2024-02-29 14:02 CET +0100'],
  ['{{ (index .Alerts 0).EndsAt.IsZero }} {{ (index .Alerts 0).EndsAt }}', 'true 0001-01-01 00:00:00 +0000 UTC'],
  ['{{ now.Sub (index .Alerts 0).StartsAt }} {{ (now.Sub (index .Alerts 0).StartsAt).Seconds }}', '1m30.5s 90.5'],
  ['{{ title "hello wORLD foo-bar it\'s" }} {{ toUpper "a" }} {{ trimSpace "  x " }}', "Hello World Foo-Bar It's A x"],
  [
    '{{ match "a+" "baa" }} {{ reReplaceAll "a(.)" "$1$1" "ab ac" }} {{ safeUrl "a b" }} {{ urlUnescape "a%20b+%C3%A9" }}',
    'true bb cc a b a b é',
  ],
  [
    '{{ toJson .CommonLabels }} {{ toJson (index .Alerts 0).Labels }}',
    '{"alertname":"Down","job":"node","severity":"page"} {"a":"\\u003c1\\u003e"}',
  ],
  ['{{ toJson (list 1 1.5 "x" nil true (index .Alerts 0).StartsAt) }}', '[1,1.5,"x",null,true,"2024-02-29T13:02:34.5Z"]'],
  ['{{ $d := dict "a" 1 "b" (list "x") }}{{ $d.a }} {{ index $d.b 0 }} {{ append (stringSlice "a") "b" | join "-" }}', '1 x a-b'],
  ['{{ (toDate "2006-01-02" "2024-02-29").Unix }} {{ (toDate "2006" "x").IsZero }}', '1709164800 true'],
  ['{{ b64enc "hé" }} {{ b64dec "aMOp" }}', 'aMOp hé'],
])('runs %s', (text, expected) => {
  expect(run(text)).toBe(expected)
})

it.each([
  ['{{ tz "Mars/Olympus" now }}', 'error calling tz: unknown time zone Mars/Olympus'],
  ['{{ mustToDate "2006" "x" }}', 'error calling mustToDate: parsing time "x" as "2006": cannot parse "x" as "2006"'],
  ['{{ urlUnescape "%zz" }}', 'error calling urlUnescape: invalid URL escape "%zz"'],
  ['{{ dict "a" }}', 'error calling dict: dict requires an even number of arguments'],
  ['{{ join "," .CommonLabels }}', 'wrong type for value; expected []string; got template.KV'],
])('fails on %s', (text, message) => {
  expect(() => run(text)).toThrow(message)
})

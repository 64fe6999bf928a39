import { describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { checkRuleTemplate, expandRuleTemplate, parseRuleTemplate, PendingQueryError } from './rule-template.ts'
import type { QueryElement } from './rule-template.ts'

const element = (labels: Record<string, string>, value: number): QueryElement => ({ labels: Labels.from(labels), value })

const answers = new Map<string, QueryElement[] | Error>([
  ['up', [element({ __name__: 'up', job: 'b' }, 1), element({ __name__: 'up', job: 'a' }, 0.5)]],
  ['nope', []],
  ['bad', new Error('1:4: parse error')],
  ['count_values("__value__", up)', [element({ __value__: '0.5' }, 1)]],
])

function expand(text: string, queries: ReadonlyMap<string, readonly QueryElement[] | Error> = answers): string {
  const externalUrl = 'http://ext:9090/pre'
  return expandRuleTemplate(
    parseRuleTemplate('__alert_x', text),
    { labels: Labels.from({ job: 'a', instance: 'h:9100' }), externalLabels: Labels.from({ cluster: 'c1' }), externalUrl, value: 12.75 },
    { nowMs: 1_435_065_584_128, externalUrl, queries },
  )
}

// The results are those of promtool 2.42; of functions that it does not have, those of their Go code.
it.each([
  ['plain', 'plain'],
  ['{{ $labels.instance }} of {{ .Labels.job }} down {{ $value }}', 'h:9100 of a down 12.75'],
  ['{{ $labels.missing }}|{{ $externalLabels.cluster }}|{{ $externalLabels.nope }}|{{ $externalURL }}', '|c1||http://ext:9090/pre'],
  [
    '{{ humanize $value }} {{ humanize 1234567 }} {{ humanize 0.00001234 }} {{ humanize 0 }} {{ humanize "123456" }}',
    '12.75 1.235M 12.34u 0 123.5k',
  ],
  ['{{ humanize 999999 }} {{ humanize -1234.5 }} {{ humanize 1e30 }} {{ humanize 1e-30 }}', '1000k -1.234k 1e+06Y 1e-06y'],
  ['{{ humanize1024 1048576 }} {{ humanize1024 0.5 }} {{ humanize1024 -2048 }} {{ humanize1024 1023.99 }}', '1Mi 0.5 -2ki 1024'],
  [
    '{{ humanizeDuration 3661 }}|{{ humanizeDuration 0 }}|{{ humanizeDuration 0.0015 }}|{{ humanizeDuration 59.9 }}',
    '1h 1m 1s|0s|1.5ms|59.9s',
  ],
  ['{{ humanizeDuration -90061.5 }}|{{ humanizeDuration 1e-12 }}|{{ humanizeDuration 65 }}', '-1d 1h 1m 1s|1ps|1m 5s'],
  ['{{ humanizePercentage 0.1234567 }} {{ humanizePercentage 1 }}', '12.35% 100%'],
  ['{{ humanizeTimestamp 1435065584.128 }} {{ humanizeTimestamp 0 }}', '2015-06-23 13:19:44.128 +0000 UTC 1970-01-01 00:00:00 +0000 UTC'],
  ['{{ (toTime 1435065584.128).Year }} {{ (toTime 1435065584).Format "Mon 2 Jan 15:04 MST" }}', '2015 Tue 23 Jun 13:19 UTC'],
  ['{{ toDuration 90.5 }} {{ now }} {{ parseDuration "1h30m" }}', '1m30.5s 1.435065584128e+09 5400'],
  ['{{ title "aa bb CC" }} {{ toUpper "aé" }} {{ toLower "AÉ" }}', 'Aa Bb CC AÉ aé'],
  ['{{ stripPort "a.b:80" }} {{ stripPort "[::1]:80" }} {{ stripPort "a" }} {{ stripPort "a:b:c" }}', 'a.b ::1 a a:b:c'],
  [
    '{{ stripDomain "a.b.c:80" }} {{ stripDomain "a.b.c" }} {{ stripDomain "1.2.3.4:80" }} {{ stripDomain "[::1]:90" }}',
    'a:80 a 1.2.3.4:80 [::1]:90',
  ],
  ['{{ match "a.*b" "xaxxb" }} {{ match "^b" "ab" }} {{ reReplaceAll "(a)(b)" "$2$1-$1x-${1}y" "abab" }}', 'true false ba--ayba--ay'],
  ['{{ graphLink "up{a=\\"b\\"} == 0" }}', '/graph?g0.expr=up%7Ba%3D%22b%22%7D+%3D%3D+0&g0.tab=0'],
  ['{{ tableLink "sum(x) by (y)" }} {{ urlQueryEscape "a b&c" }}', '/graph?g0.expr=sum%28x%29+by+%28y%29&g0.tab=1 a+b%26c'],
  ['{{ query "up" | first | value }} {{ with query "up" | first }}{{ .Labels.job }} {{ label "job" . }}{{ end }}', '1 b b'],
  ['{{ range sortByLabel "job" (query "up") }}{{ .Labels.job }}={{ .Value }};{{ end }} {{ query "up" | len }}', 'a=0.5;b=1; 2'],
  ['{{ with query "nope" }}x{{ else }}none{{ end }} {{ if query "up" }}some{{ end }}', 'none some'],
  ['{{ range query "count_values(\\"__value__\\", up)" }}{{ strvalue . }}{{ end }}', '0.5'],
  ['{{ printf "%.1f%%" $value }} {{ printf "%d" $value }} {{ if gt $value 1.0 }}big{{ end }}', '12.8% %!d(float64=12.75) big'],
  ['{{ $labels }} {{ range $k, $v := $labels }}{{ $k }}={{ $v }},{{ end }}', 'map[instance:h:9100 job:a] instance=h:9100,job=a,'],
  ['{{ externalURL }} {{ pathPrefix }} {{ safeHtml "<b>" }} {{ html "<b>" }} {{ "<b>" }}', 'http://ext:9090/pre /pre <b> &lt;b&gt; <b>'],
  ['{{ with args "a" 2 }}{{ .arg0 }}{{ .arg1 }}{{ end }}{{ define "t" }}[{{ . }}]{{ end }}{{ template "t" $value }}', 'a2[12.75]'],
])('expands %s', (text, expected) => {
  expect(expand(text)).toBe(expected)
})

it.each([
  ['{{ query "nope" | first | value }}', '130', 'first', 'error calling first: first() called on vector with no elements'],
  ['{{ humanize "abc" }}', '115', 'humanize "abc"', 'error calling humanize: strconv.ParseFloat: parsing "abc": invalid syntax'],
  ['{{ humanize $labels }}', '115', 'humanize $labels', "error calling humanize: can't convert map[string]string to float"],
  [
    '{{ reReplaceAll "(" "x" "y" }}',
    '115',
    'reReplaceAll "(" "x" "y"',
    'error calling reReplaceAll: regexp: Compile(`(`): error parsing regexp: missing closing ): `(`',
  ],
  ['{{ query "bad" }}', '115', 'query "bad"', 'error calling query: 1:4: parse error'],
  [
    '{{ .Foo }}',
    '115',
    '.Foo',
    "can't evaluate field Foo in type struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }",
  ],
])('fails on %s with the message of Prometheus', (text, column, context, message) => {
  expect(() => expand(text)).toThrow(
    `error executing template __alert_x: template: __alert_x:1:${column}: executing "__alert_x" at <${context}>: ${message}`,
  )
})

describe('queries', () => {
  it('are asked for one after another, and the text comes out once all are answered', () => {
    const queries = new Map<string, QueryElement[]>()
    const asked: string[] = []
    const text = '{{ query "a" | first | value }}{{ if query "b" }}{{ query "a" | len }}{{ end }}'
    for (;;) {
      try {
        expect(expand(text, queries)).toBe('11')
        break
      } catch (error) {
        if (!(error instanceof PendingQueryError)) throw error
        asked.push(error.query)
        queries.set(error.query, [element({}, 1)])
      }
    }
    expect(asked).toEqual(['a', 'b'])
  })
})

it('checks a text without running it', () => {
  expect(checkRuleTemplate('__alert_x', '{{ $labels.x }}')).toBeUndefined()
  expect(checkRuleTemplate('__alert_x', 'a\n{{ nope }}')).toBe('template: __alert_x:2: function "nope" not defined')
  expect(() => parseRuleTemplate('__alert_x', '{{ if }}')).toThrow(
    'error parsing template __alert_x: template: __alert_x:1: missing value for if',
  )
})

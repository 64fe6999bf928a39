import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkAlertmanagerConfig, parseAlertmanagerConfig } from './alertmanager-config.ts'
import { parseMatchers } from './alertmanager-matcher.ts'
import { readWebhookSettings } from './alertmanager-receivers.ts'

const shared =
  process.env['NARTHEX_CONFORMANCE'] ??
  join(process.env['NARTHEX_SHARED'] ?? join(import.meta.dirname, '../../../../shared'), 'conformance')

const base = 'receivers: [{name: r}]\n'
const failure = (text: string): string | undefined => checkAlertmanagerConfig(text, 'a.yml').goText

describe('an Alertmanager config', () => {
  it('reads a route tree and a webhook', () => {
    const text = [
      'global: {http_config: {proxy_url: "http://p:1"}}',
      'route:',
      '  receiver: hook',
      '  group_by: ["..."]',
      '  routes:',
      '  - matchers: [severity="page", team=~"a|b"]',
      '    match: {x: y}',
      '    continue: true',
      '    group_wait: 1s',
      'receivers:',
      '- name: hook',
      '  webhook_configs: [{url: "http://h/x", max_alerts: 3}]',
    ].join('\n')
    const config = parseAlertmanagerConfig(text, 'a.yml')
    expect(config.route).toMatchObject({ receiver: 'hook', groupByAll: true, groupBy: [] })
    expect(config.route.routes[0]).toMatchObject({
      continues: true,
      groupWaitMs: 1000,
      matchers: [
        { name: 'x', type: '=', value: 'y' },
        { name: 'severity', type: '=', value: 'page' },
        { name: 'team', type: '=~', value: 'a|b' },
      ],
    })
    const [hook] = config.receivers[0]!.integrations
    expect(hook).toMatchObject({ kind: 'webhook', sendResolved: true, http: { proxyUrl: 'http://p:1' } })
    expect(readWebhookSettings(hook!)).toMatchObject({ maxAlerts: 3 })
    expect(readWebhookSettings(hook!).url?.reveal()).toBe('http://h/x')
    expect(config.redactedYaml()).toContain('url: <secret>')
  })

  it.each([
    [base, 'no routes provided'],
    [`${base}route: {}`, 'root route must specify a default receiver'],
    [`${base}route: {receiver: r, matchers: [a=b]}`, 'root route must not have any matchers'],
    [`${base}route: {receiver: r, continue: true}`, 'cannot have continue in root route'],
    [`${base}route: {receiver: x}`, 'undefined receiver "x" used in route'],
    [`receivers: [{name: r}, {name: r}]\nroute: {receiver: r}`, 'notification config name "r" is not unique'],
    [`receivers: [{}]\nroute: {receiver: r}`, 'missing name in receiver'],
    [`${base}route: {receiver: r, group_by: [a, a]}`, 'duplicated label "a" in group_by'],
    [`${base}route: {receiver: r, group_by: [a, "..."]}`, 'cannot have wildcard group_by (`...`) and other labels at the same time'],
    [`${base}route: {receiver: r, repeat_interval: 0s}`, 'repeat_interval cannot be zero'],
    [`${base}route: {receiver: r, routes: [{mute_time_intervals: [t]}]}`, 'undefined time interval "t" used in route'],
    [`receivers: [{name: A, labels: {name: B}}]\nroute: {receiver: A}`, 'receiver label "name" must match receiver name "A", got "B"'],
    [`receivers: [{name: r, webhook_configs: [{}]}]\nroute: {receiver: r}`, 'one of url or url_file must be configured'],
    [
      `${base}route: {receiver: r}\ntime_intervals: [{name: t, time_intervals: [{times: [{start_time: "10:00", end_time: "09:00"}]}]}]`,
      'start time cannot be equal or greater than end time',
    ],
  ])('%#: is refused: %s', (text, problem) => {
    expect(failure(text)).toBe(problem)
  })

  it('reads time intervals, to the end of the day and from the end of the month', () => {
    const interval =
      '{times: [{start_time: "17:00", end_time: "24:00"}], weekdays: ["monday:friday", sunday], days_of_month: ["-3:-1"], months: ["december", "1:3"], location: Europe/Berlin}'
    const config = parseAlertmanagerConfig(`${base}route: {receiver: r}\ntime_intervals: [{name: t, time_intervals: [${interval}]}]`, 'a')
    expect(config.timeIntervals[0]!.intervals[0]).toEqual({
      times: [{ startMinute: 1020, endMinute: 1440 }],
      weekdays: [
        { begin: 1, end: 5 },
        { begin: 0, end: 0 },
      ],
      daysOfMonth: [{ begin: -3, end: -1 }],
      months: [
        { begin: 12, end: 12 },
        { begin: 1, end: 3 },
      ],
      years: [],
      location: 'Europe/Berlin',
    })
  })

  it('ignores a null inhibit rule', () => {
    expect(parseAlertmanagerConfig(`${base}route: {receiver: r}\ninhibit_rules: [null]`, 'a').inhibitRules).toEqual([])
  })

  it.runIf(existsSync(shared))('agrees with every verdict of the conformance folder', () => {
    const rows = readFileSync(join(shared, 'config/alertmanager.tsv'), 'utf8').trim().split('\n').slice(1)
    const wrong = rows.filter((row) => {
      const [file, verdict, contains] = row.split('\t') as [string, string, string | undefined]
      const path = join(shared, 'config/alertmanager', file)
      const found = checkAlertmanagerConfig(readFileSync(path, 'utf8'), path)
      return verdict === 'good' ? !found.isGood : found.isGood || !(found.goText ?? '').includes(contains ?? '')
    })
    expect(wrong).toEqual([])
  })
})

describe('parseMatchers', () => {
  it.each([
    ['foo=bar', [['foo', '=', 'bar']]],
    [
      '{foo="b,ar", x!~"a|b",}',
      [
        ['foo', '=', 'b,ar'],
        ['x', '!~', 'a|b'],
      ],
    ],
    ['"odd name"!="a\\"b\\n"', [['odd name', '!=', 'a"b\n']]],
    ['foo=""', [['foo', '=', '']]],
  ])('reads %s', (text, wanted) => {
    expect(parseMatchers(text).map(({ name, type, value }) => [name, type, value])).toEqual(wanted)
  })

  it.each(['foo', '{foo=bar', '=x', 'a=~"("', 'a=b c=d"'])('refuses %s', (text) => {
    expect(() => parseMatchers(text)).toThrow()
  })
})

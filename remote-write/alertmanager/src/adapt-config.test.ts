import { adaptConfig } from './adapt-config.ts'
import { afterEach, expect, test } from 'vitest'
import { builtinConfig } from './builtin-config.ts'
import { createLogger } from '@narthex/service/logger'
import { parseAlertmanagerConfig } from '@narthex/config/alertmanager-config'
import { second, TestBench } from './alertmanager-kit.ts'

let bench: TestBench | undefined

afterEach(async () => {
  await bench?.stop()
  bench = undefined
})

function read(text: string) {
  return adaptConfig(parseAlertmanagerConfig(text, 'alertmanager.yml'))
}

test('the built-in configuration delivers into the history', async () => {
  bench = await TestBench.start(read(builtinConfig))
  bench.post({ alertname: 'Watchdog', severity: 'none' })
  await bench.clock.advance(5 * second)
  expect(bench.alertmanager.recentNotifications()).toMatchObject([
    {
      receiver: 'narthex-history',
      integration: 'history',
      outcome: 'delivered',
      status: 'firing',
      alerts: [{ labels: { alertname: 'Watchdog' } }],
    },
  ])
  expect(bench.takeSent()).toEqual([])
})

test('a configuration with everything that routes know is read as written', () => {
  const config = read(`
route:
  receiver: a
  routes:
    - match: {x: '1'}
      matchers: ['y=~"2|3"', z!=4]
      group_by: ['...']
      continue: true
      group_wait: 0s
      mute_time_intervals: [night]
      receiver: b
time_intervals:
  - name: night
    time_intervals: [{times: [{start_time: '22:00', end_time: '24:00'}], location: Europe/Berlin}]
receivers:
  - name: a
    webhook_configs: [{url: 'http://x/', max_alerts: 3, timeout: 2s, send_resolved: false}]
  - name: b
    webhook_configs: [{url: 'http://y/', payload: {a: b}}]
    slack_configs: [{api_url: 'http://slack/', channel: c}]
`)
  expect(config.route.routes[0]).toMatchObject({ groupBy: ['...'], continue: true, groupWaitMs: 0, muteTimeIntervals: ['night'] })
  expect(config.route.routes[0]?.matchers.map(String)).toEqual(['x="1"', 'y=~"2|3"', 'z!="4"'])
  expect(config.timeIntervals.get('night')).toMatchObject([{ times: [{ startMinute: 1320, endMinute: 1440 }], location: 'Europe/Berlin' }])
  const [a, b] = config.receivers
  expect(a?.integrations).toMatchObject([{ kind: 'webhook', maxAlerts: 3, timeoutMs: 2000, sendResolved: false, hasPayload: false }])
  expect(b?.integrations).toContainEqual({ kind: 'unbuilt', integration: 'slack', sendResolved: false })
  expect(b?.integrations).toContainEqual(expect.objectContaining({ kind: 'webhook', hasPayload: true }))
  expect(config.text).not.toContain('http://slack/')
})

test('says once at start which integrations are not built', async () => {
  const lines: string[] = []
  const config = read(`
route: {receiver: a}
receivers: [{name: a, slack_configs: [{api_url: 'http://s/', channel: c}, {api_url: 'http://s/', channel: d}]}]
`)
  bench = await TestBench.start(config, { log: createLogger({ write: (line) => lines.push(line), source: 'x' }) })
  expect(lines.filter((line) => line.includes('not built'))).toHaveLength(1)
  expect(lines[0]).toContain('receiver a: slack_configs is not built yet')
})

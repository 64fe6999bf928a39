import { afterEach, describe, expect, test } from 'vitest'
import { hour, makeConfig, makeRoute, makeWebhookReceiver, minute, second, startMs, TestBench } from './alertmanager-kit.ts'
import { parseMatchers } from './matcher-parser.ts'
import type { AlertmanagerConfig } from './config-shape.ts'

let bench: TestBench | undefined

async function start(config?: AlertmanagerConfig): Promise<TestBench> {
  bench = await TestBench.start(config)
  return bench
}

afterEach(async () => {
  await bench?.stop()
  bench = undefined
})

const disk = { alertname: 'DiskFull', instance: 'a' }
const ended = (labels: Record<string, string>, atMs: number) => ({ labels, endsAt: new Date(startMs + atMs).toISOString() })

describe('grouping', () => {
  test('sends the first message group_wait after the first alert', async () => {
    const { clock, post, takeSent } = bind(await start())
    post(disk)
    await clock.advance(9 * second)
    post({ ...disk, instance: 'b' })
    await clock.advance(second - 1)
    expect(takeSent()).toEqual([])
    await clock.advance(1)
    const [message] = takeSent()
    expect(message).toMatchObject({
      atMs: 10 * second,
      url: 'http://hook/',
      body: { status: 'firing', groupKey: '{}:{alertname="DiskFull"}' },
    })
    expect(message?.body.alerts.map((alert) => alert.labels['instance'])).toEqual(['a', 'b'])
  })

  test('does not wait again for an alert that has been firing for longer than group_wait', async () => {
    const bound = bind(await start())
    bound.request('POST', '/api/v2/alerts', [{ labels: disk, startsAt: new Date(startMs - 11 * second).toISOString() }])
    await bound.clock.advance(0)
    expect(bound.takeSent()).toHaveLength(1)
  })

  test('tells new alerts of a group at the next group_interval', async () => {
    const { clock, post, takeSent } = bind(await start())
    post(disk)
    await clock.advance(11 * second)
    takeSent()
    post({ ...disk, instance: 'b' })
    await clock.advance(3 * minute)
    expect(takeSent().map((message) => [message.atMs, message.body.notification_reason])).toEqual([[70 * second, 'new alerts added']])
  })

  test('repeats at the first group_interval after repeat_interval', async () => {
    const { clock, post, takeSent } = bind(await start())
    post({ labels: disk, endsAt: new Date(startMs + 24 * hour).toISOString() })
    await clock.advance(2 * hour + 5 * minute)
    // The log says "before now − 1 h": an hour to the millisecond is not yet longer than an hour.
    expect(takeSent().map((message) => [message.atMs - 10 * second, message.body.notification_reason])).toEqual([
      [0, 'first notification'],
      [hour + minute, 'repeat interval elapsed'],
      [2 * (hour + minute), 'repeat interval elapsed'],
    ])
  })

  test('tells the end of an alert, then forgets it', async () => {
    const { clock, post, takeSent, request } = bind(await start())
    post(disk)
    await clock.advance(15 * second)
    takeSent()
    post(ended(disk, 15 * second))
    await clock.advance(2 * hour)
    const messages = takeSent()
    expect(messages.map((message) => [message.atMs, message.body.status, message.body.notification_reason])).toEqual([
      [70 * second, 'resolved', 'all alerts resolved'],
    ])
    expect(JSON.parse(request('GET', '/api/v2/alerts/groups').body)).toEqual([])
  })

  test('ends an alert that nobody repeats after resolve_timeout', async () => {
    const { clock, post, takeSent } = bind(await start())
    post(disk)
    await clock.advance(10 * minute)
    expect(takeSent().map((message) => [message.atMs, message.body.status])).toEqual([
      [10 * second, 'firing'],
      [5 * minute + 10 * second, 'resolved'],
    ])
  })

  test('does not tell an alert that ended before group_wait was over', async () => {
    const { clock, post, takeSent } = bind(await start())
    post(disk)
    await clock.advance(5 * second)
    post(ended(disk, 5 * second))
    await clock.advance(hour)
    expect(takeSent()).toEqual([])
  })

  test('groups by all labels with ...', async () => {
    const route = makeRoute({ receiver: 'hook', groupBy: ['...'] })
    const { clock, post, takeSent } = bind(await start(makeConfig({ route })))
    post(disk, { ...disk, instance: 'b' })
    await clock.advance(30 * second)
    expect(takeSent().map((message) => message.body.groupKey)).toEqual([
      '{}:{alertname="DiskFull", instance="a"}',
      '{}:{alertname="DiskFull", instance="b"}',
    ])
  })
})

describe('sending', () => {
  test('tries again after a network error, with growing pauses', async () => {
    const bound = bind(await start())
    bound.bench.answer = 0
    bound.post(disk)
    await bound.clock.advance(13 * second)
    expect(bound.takeSent().map((message) => message.atMs - 10 * second)).toEqual([0, 500, 1250, 2375])
    bound.bench.answer = 200
    await bound.clock.advance(2 * second)
    expect(bound.takeSent()).toHaveLength(1)
    await bound.clock.advance(30 * second)
    expect(bound.takeSent()).toEqual([])
    expect(bound.bench.alertmanager.recentNotifications()).toMatchObject([{ receiver: 'hook', outcome: 'delivered', alertCount: 1 }])
  })

  test('does not try again after a 4xx, but at the next group_interval', async () => {
    const bound = bind(await start())
    bound.bench.answer = 400
    bound.post(disk)
    await bound.clock.advance(71 * second)
    expect(bound.takeSent().map((message) => message.atMs)).toEqual([10 * second, 70 * second])
    expect(bound.bench.alertmanager.recentNotifications()[0]).toMatchObject({ outcome: 'failed' })
    const failed = bound.bench.registry.counter('alertmanager_notifications_failed_total', '', ['integration', 'reason'])
    expect(failed.labels('webhook', 'clientError').value).toBe(2)
  })

  test('gives up when the next flush is due, and tells then', async () => {
    const bound = bind(await start())
    bound.bench.answer = 503
    bound.post(disk)
    await bound.clock.advance(70 * second + 1)
    const failed = bound.bench.registry.counter('alertmanager_notifications_failed_total', '', ['integration', 'reason'])
    expect(failed.labels('webhook', 'serverError').value).toBe(1)
    bound.takeSent()
    bound.bench.answer = 200
    await bound.clock.advance(minute)
    expect(bound.takeSent()).toHaveLength(1)
  })

  test('counts messages to an integration that is not built as failed', async () => {
    const receivers = [{ name: 'hook', integrations: [{ kind: 'unbuilt', integration: 'slack', sendResolved: false } as const] }]
    const bound = bind(await start(makeConfig({ receivers })))
    bound.post(disk)
    await bound.clock.advance(11 * second)
    const failed = bound.bench.registry.counter('alertmanager_notifications_failed_total', '', ['integration', 'reason'])
    expect(failed.labels('slack', 'notBuilt').value).toBe(1)
    expect(bound.bench.alertmanager.recentNotifications()[0]?.error).toContain('slack_configs is not built yet')
  })

  test('without send_resolved notes the end silently, so that the next beginning is told', async () => {
    const bound = bind(await start(makeConfig({ receivers: [makeWebhookReceiver('hook', 0, false)] })))
    bound.post(disk)
    await bound.clock.advance(11 * second)
    bound.post(ended(disk, 11 * second))
    await bound.clock.advance(2 * minute)
    expect(bound.takeSent()).toHaveLength(1)
    bound.post(disk)
    await bound.clock.advance(2 * minute)
    expect(bound.takeSent().map((message) => message.body.status)).toEqual(['firing'])
  })

  test('remembers over a restart what was told', async () => {
    const bound = bind(await start())
    bound.post(disk)
    await bound.clock.advance(11 * second)
    expect(bound.takeSent()).toHaveLength(1)
    await bound.bench.alertmanager.stop()
    await bound.bench.restart()
    bound.post(disk)
    await bound.clock.advance(5 * minute)
    expect(bound.takeSent()).toEqual([])
  })

  test('remembers over a reload what was told', async () => {
    const bound = bind(await start())
    bound.post(disk)
    await bound.clock.advance(11 * second)
    bound.takeSent()
    bound.bench.alertmanager.reload(makeConfig())
    await bound.clock.advance(4 * minute)
    expect(bound.takeSent()).toEqual([])
  })
})

describe('routing', () => {
  const routes = [
    makeRoute({ matchers: 'team="b"', receiver: 'b', continue: true }),
    makeRoute({ matchers: 'team=~"b|c"', receiver: 'bc', routes: [makeRoute({ matchers: 'severity="page"', receiver: 'pager' })] }),
    makeRoute({ matchers: 'team="c"', receiver: 'never' }),
  ]
  const route = makeRoute({ receiver: 'rest', groupBy: ['alertname'], routes })
  const receivers = ['b', 'bc', 'pager', 'never', 'rest'].map((name) => makeWebhookReceiver(name))

  test.each([
    [{ team: 'b' }, ['b', 'bc']],
    [{ team: 'c' }, ['bc']],
    [{ team: 'c', severity: 'page' }, ['pager']],
    [{ team: 'd' }, ['rest']],
  ])('sends %o to %o', async (labels: Record<string, string>, expected) => {
    const { clock, post, takeSent, request } = bind(await start(makeConfig({ route, receivers })))
    post({ alertname: 'A', ...labels })
    const alerts = JSON.parse(request('GET', '/api/v2/alerts').body) as { receivers: { name: string }[] }[]
    expect(alerts[0]?.receivers.map(({ name }) => name)).toEqual(expected)
    await clock.advance(30 * second)
    expect(takeSent().map((message) => new URL(message.url).host)).toEqual(expected)
  })
})

describe('suppression', () => {
  const inhibitRules = [
    { sourceMatchers: parseMatchers('severity="critical"'), targetMatchers: parseMatchers('severity="warning"'), equal: ['instance'] },
  ]
  const warning = { alertname: 'Slow', instance: 'a', severity: 'warning' }
  const critical = { alertname: 'Down', instance: 'a', severity: 'critical' }

  test('inhibits a target while any source with equal labels fires', async () => {
    const { clock, post, takeSent, request } = bind(await start(makeConfig({ inhibitRules })))
    const other = { ...critical, alertname: 'AlsoDown' }
    post(warning, critical, other)
    await clock.advance(11 * second)
    expect(takeSent().map((message) => message.body.groupKey)).toEqual(['{}:{alertname="Down"}', '{}:{alertname="AlsoDown"}'])
    post(ended(critical, 11 * second))
    await clock.advance(minute)
    const [status] = (JSON.parse(request('GET', '/api/v2/alerts', undefined, 'filter=alertname="Slow"').body) as { status: unknown }[]).map(
      (alert) => alert.status,
    )
    expect(status).toMatchObject({ state: 'suppressed', silencedBy: [] })
    expect(takeSent().map((message) => message.body.groupKey)).toEqual(['{}:{alertname="Down"}'])
    post(ended(other, 11 * second))
    await clock.advance(2 * minute)
    expect(takeSent().map((message) => message.body.groupKey)).toContain('{}:{alertname="Slow"}')
  })

  test('does not let two alerts that are source and target inhibit each other', async () => {
    const both = [{ sourceMatchers: parseMatchers('severity=~".+"'), targetMatchers: parseMatchers('severity=~".+"'), equal: ['instance'] }]
    const { clock, post, takeSent } = bind(await start(makeConfig({ inhibitRules: both })))
    post(warning, critical)
    await clock.advance(11 * second)
    expect(takeSent()).toHaveLength(2)
  })

  test('silences by matcher from start to end', async () => {
    const { clock, post, takeSent, request } = bind(await start())
    const answer = request('POST', '/api/v2/silences', {
      matchers: [{ name: 'instance', value: 'a', isRegex: false }],
      startsAt: new Date(startMs).toISOString(),
      endsAt: new Date(startMs + 3 * minute).toISOString(),
      createdBy: 'me',
      comment: 'c',
    })
    expect(answer.status).toBe(200)
    post(disk)
    await clock.advance(2 * minute)
    expect(takeSent()).toEqual([])
    await clock.advance(2 * minute)
    expect(takeSent().map((message) => message.atMs)).toEqual([3 * minute + 10 * second])
  })

  test('mutes a route in its time interval and outside its active one', async () => {
    const noon = {
      times: [{ startMinute: 12 * 60, endMinute: 12 * 60 + 5 }],
      weekdays: [],
      daysOfMonth: [],
      months: [],
      years: [],
      location: 'UTC',
    }
    const timeIntervals = new Map([['noon', [noon]]])
    const muted = makeRoute({ matchers: 'alertname="Muted"', muteTimeIntervals: ['noon'], groupIntervalMs: minute })
    const active = makeRoute({ matchers: 'alertname="Active"', activeTimeIntervals: ['noon'], groupIntervalMs: minute })
    const route = makeRoute({ receiver: 'hook', groupBy: ['alertname'], groupWaitMs: 10 * second, routes: [muted, active] })
    const { clock, post, takeSent, request } = bind(await start(makeConfig({ route, timeIntervals, resolveTimeoutMs: hour })))
    post({ alertname: 'Muted' }, { alertname: 'Active' })
    await clock.advance(11 * second)
    expect(takeSent().map((message) => message.body.groupKey)).toEqual(['{}/{alertname="Active"}:{alertname="Active"}'])
    const groups = JSON.parse(request('GET', '/api/v2/alerts/groups').body) as { alerts: { status: unknown }[] }[]
    expect(groups[1]?.alerts[0]?.status).toMatchObject({ mutedBy: ['noon'], state: 'suppressed' })
    await clock.advance(5 * minute)
    expect(takeSent().map((message) => message.body.groupKey)).toEqual(['{}/{alertname="Muted"}:{alertname="Muted"}'])
    post({ alertname: 'Active', more: 'x' })
    await clock.advance(2 * minute)
    expect(takeSent()).toEqual([])
  })
})

function bind(bench: TestBench) {
  return {
    bench,
    clock: bench.clock,
    post: bench.post.bind(bench),
    takeSent: bench.takeSent.bind(bench),
    request: bench.request.bind(bench),
  }
}

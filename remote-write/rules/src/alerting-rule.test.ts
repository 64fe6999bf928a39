import { AlertingRule, resolvedRetentionMs } from './alerting-rule.ts'
import { describe, expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { makeAlertingRule, makeVector } from './rule-kit.ts'
import { silentLogger } from '@narthex/service/logger'
import type { AlertingRuleConfig } from '@narthex/config/rule-file'

const minute = 60_000

function createRule(config: Partial<AlertingRuleConfig>): AlertingRule {
  const rule = makeAlertingRule({ alert: 'Down', expr: 'up == 0', ...config })
  return new AlertingRule({
    config: rule,
    labels: Labels.from(rule.labels),
    query: rule.expr,
    externalLabels: Labels.empty,
    externalUrl: 'http://x',
    expandTemplate: (_name, text, data) => {
      if (text.includes('broken')) return Promise.reject(new Error('broken template'))
      return Promise.resolve(text.replace('{{ $labels.job }}', data.labels.get('job')).replace('{{ $value }}', String(data.value)))
    },
    log: silentLogger,
    restored: true,
  })
}

const down = makeVector([[{ __name__: 'up', job: 'a' }, 0]])
const nothing = makeVector([])

async function evaluateAt(rule: AlertingRule, timeMs: number, result = down, limit = 0): Promise<string[]> {
  const samples = await rule.evaluate(result, timeMs, limit)
  return samples.map(({ labels }) => labels.metricString())
}

describe('alert states', () => {
  test('fires at the first evaluation without for', async () => {
    const rule = createRule({})
    expect(await evaluateAt(rule, 1000)).toEqual([
      'ALERTS{alertname="Down", alertstate="firing", job="a"}',
      'ALERTS_FOR_STATE{alertname="Down", job="a"}',
    ])
    expect(rule.activeAlerts()[0]).toMatchObject({ state: 'firing', activeAtMs: 1000, firedAtMs: 1000 })
  })

  test('is pending one millisecond short of for, and firing at it', async () => {
    const rule = createRule({ forMs: minute })
    await evaluateAt(rule, 0)
    await evaluateAt(rule, minute - 1)
    expect(rule.state).toBe('pending')
    await evaluateAt(rule, minute)
    expect(rule.state).toBe('firing')
  })

  test('forgets a pending alert whose condition ends, without sending', async () => {
    const rule = createRule({ forMs: minute })
    await evaluateAt(rule, 0)
    await evaluateAt(rule, 1000, nothing)
    expect(rule.active.size).toBe(0)
    expect(rule.takeAlertsToSend(1000, minute, minute)).toEqual([])
  })

  test('keeps a resolved alert for fifteen minutes', async () => {
    const rule = createRule({})
    await evaluateAt(rule, 0)
    await evaluateAt(rule, minute, nothing)
    expect(rule.state).toBe('inactive')
    await evaluateAt(rule, minute + resolvedRetentionMs, nothing)
    expect(rule.active.size).toBe(1)
    await evaluateAt(rule, minute + resolvedRetentionMs + 1, nothing)
    expect(rule.active.size).toBe(0)
  })

  test('starts anew when the condition returns after it was resolved', async () => {
    const rule = createRule({})
    await evaluateAt(rule, 0)
    await evaluateAt(rule, minute, nothing)
    await evaluateAt(rule, 2 * minute)
    expect(rule.activeAlerts()[0]).toMatchObject({ state: 'firing', activeAtMs: 2 * minute, resolvedAtMs: undefined })
  })

  test('keeps firing for keep_firing_for after the condition ended', async () => {
    const rule = createRule({ keepFiringForMs: minute })
    await evaluateAt(rule, 0)
    await evaluateAt(rule, 10_000, nothing)
    await evaluateAt(rule, 10_000 + minute - 1, nothing)
    expect(rule.activeAlerts()[0]).toMatchObject({ state: 'firing', keepFiringSinceMs: 10_000 })
    await evaluateAt(rule, 10_000 + minute, nothing)
    expect(rule.state).toBe('inactive')
  })

  test('forgets keep_firing_for when the condition returns', async () => {
    const rule = createRule({ keepFiringForMs: minute })
    await evaluateAt(rule, 0)
    await evaluateAt(rule, 10_000, nothing)
    await evaluateAt(rule, 20_000)
    expect(rule.activeAlerts()[0]?.keepFiringSinceMs).toBeUndefined()
  })

  test('goes back to pending when a reload raised for', async () => {
    const before = createRule({})
    await evaluateAt(before, 0)
    const after = createRule({ forMs: minute })
    for (const [key, alert] of before.active) after.active.set(key, alert)
    await evaluateAt(after, 1000)
    expect(after.state).toBe('pending')
  })
})

describe('results', () => {
  test('expand templates and drop the metric name', async () => {
    const rule = createRule({ labels: { team: '{{ $labels.job }}-team' }, annotations: { summary: 'value {{ $value }}', empty: '' } })
    await evaluateAt(rule, 0)
    const [alert] = rule.activeAlerts()
    expect(alert?.labels.toString()).toBe('{alertname="Down", job="a", team="a-team"}')
    expect(alert?.annotations).toEqual({ summary: 'value 0', empty: '' })
  })

  test('show the error of a template in its place', async () => {
    const rule = createRule({ annotations: { summary: '{{ broken }}' } })
    await evaluateAt(rule, 0)
    expect(rule.activeAlerts()[0]?.annotations['summary']).toBe('<error expanding template: broken template>')
  })

  test('with the same labels after relabelling are an error', async () => {
    const rule = createRule({ labels: { job: 'same' } })
    const two = makeVector([
      [{ job: 'a' }, 0],
      [{ job: 'b' }, 0],
    ])
    await expect(evaluateAt(rule, 0, two)).rejects.toThrow('vector contains metrics with the same labelset after applying alert labels')
  })

  test('up to the limit pass, one more forgets all alerts', async () => {
    const rule = createRule({})
    const two = makeVector([
      [{ job: 'a' }, 0],
      [{ job: 'b' }, 0],
    ])
    await evaluateAt(rule, 0, two, 2)
    expect(rule.active.size).toBe(2)
    await expect(evaluateAt(rule, 1000, two, 1)).rejects.toThrow('exceeded limit of 1 with 2 alerts')
    expect(rule.active.size).toBe(0)
  })

  test('that are a scalar make one alert without labels', async () => {
    const rule = createRule({})
    await rule.evaluate({ labels: [], values: new Float64Array(0), scalar: 7, warnings: [] }, 0, 0)
    expect(rule.activeAlerts()[0]?.labels.toString()).toBe('{alertname="Down"}')
  })
})

describe('sending', () => {
  test('repeats a firing alert only after the resend delay has passed', async () => {
    const rule = createRule({})
    await evaluateAt(rule, 0)
    expect(rule.takeAlertsToSend(0, minute, 15_000)).toHaveLength(1)
    expect(rule.takeAlertsToSend(minute, minute, 15_000)).toHaveLength(0)
    expect(rule.takeAlertsToSend(minute + 1, minute, 15_000)[0]?.validUntilMs).toBe(minute + 1 + 4 * minute)
  })

  test('is valid for four intervals when they are longer than the resend delay', async () => {
    const rule = createRule({})
    await evaluateAt(rule, 0)
    expect(rule.takeAlertsToSend(0, minute, 2 * minute)[0]?.validUntilMs).toBe(8 * minute)
  })

  test('tells the end of an alert at once', async () => {
    const rule = createRule({})
    await evaluateAt(rule, 0)
    rule.takeAlertsToSend(0, minute, 15_000)
    await evaluateAt(rule, 15_000, nothing)
    expect(rule.takeAlertsToSend(15_000, minute, 15_000)[0]).toMatchObject({ state: 'inactive', resolvedAtMs: 15_000, firedAtMs: 0 })
    expect(rule.takeAlertsToSend(30_000, minute, 15_000)).toHaveLength(0)
  })
})

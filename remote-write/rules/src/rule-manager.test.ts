import { describe, expect, test, vi } from 'vitest'
import { FakeClock } from '@narthex/service/fake-clock'
import { FakeStorage, makeAlertingRule, makeGroup, makeRecordingRule } from './rule-kit.ts'
import { groupPhaseMs } from './group-schedule.ts'
import { Labels } from '@narthex/model/labels'
import { Registry } from '@narthex/service/metrics'
import { RuleManager } from './rule-manager.ts'
import { silentLogger } from '@narthex/service/logger'
import { STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import { viewAlerts, viewRuleGroups } from './api-view.ts'
import type { RuleGroupConfig } from '@narthex/config/rule-file'
import type { RuleManagerConfig, RuleManagerOptions } from './rule-manager.ts'

const minute = 60_000
const dayMs = 86_400_000
const phase = groupPhaseMs('r.yml', 'g', minute)
const startMs = 20_000 * dayMs + phase

function loadGroups(...groups: RuleGroupConfig[]): RuleManagerConfig {
  return {
    groups,
    evaluationIntervalMs: minute,
    queryOffsetMs: 0,
    externalLabels: {},
    externalUrl: 'http://prom:9090',
  }
}

async function startManager(groups: RuleGroupConfig[], options: Partial<RuleManagerOptions> = {}) {
  const clock = new FakeClock(startMs - 1)
  const storage = new FakeStorage()
  const registry = new Registry()
  const { query, beginAppend, selectLastSamples, sender } = storage
  const manager = new RuleManager({
    query,
    beginAppend,
    selectLastSamples,
    sender,
    clock,
    log: silentLogger,
    registry,
    ...options,
  })
  await manager.update(loadGroups(...groups))
  manager.start()
  return { clock, storage, manager, registry }
}

const recording = makeRecordingRule('job:up:sum', 'sum by (job) (up)')

describe('rule groups', () => {
  test('run at their phase of the interval', async () => {
    const { clock, storage } = await startManager([makeGroup({ name: 'g', rules: [recording] })])
    await clock.advance(2 * minute)
    expect(storage.queries).toEqual([`sum by (job) (up)@${startMs}`, `sum by (job) (up)@${startMs + minute}`])
  })

  test('take the labels away that they or their rules give an empty value', async () => {
    const labels = { job: '', path: '' }
    const rules = [
      { ...makeRecordingRule('r', 'x'), labels: { path: '/kept', code: '' } },
      makeAlertingRule({ alert: 'A', expr: 'x', labels: { code: '' } }),
    ]
    const { clock, storage, manager } = await startManager([makeGroup({ name: 'g', labels, rules })])
    storage.results.set('x', [[{ job: 'a', path: '/', code: '200', host: 'h' }, 1]])
    await clock.advance(1)
    expect(storage.takeWritten()).toEqual([`r{host="h", path="/kept"}@${startMs} 1`])
    const alerts = manager.groups().flatMap((group) => group.alertingRules().flatMap((rule) => rule.activeAlerts()))
    expect(alerts.map((alert) => alert.labels.toString())).toEqual(['{alertname="A", host="h"}'])
  })

  test('store results that are native histograms beside those that are floats', async () => {
    const { clock, storage } = await startManager([makeGroup({ name: 'g', rules: [recording] })])
    const histogram = {
      schema: 0,
      isFloat: true,
      count: 3,
      sum: 4.5,
      zeroThreshold: 0,
      zeroCount: 3,
      positiveSpans: [],
      negativeSpans: [],
      positiveDeltas: [],
      negativeDeltas: [],
      positiveCounts: [],
      negativeCounts: [],
      customValues: [],
      isGauge: false,
    }
    storage.results.set('sum by (job) (up)', [
      [{ job: 'a' }, 3],
      [{ job: 'b' }, histogram],
    ])
    await clock.advance(1)
    expect(storage.takeWritten()).toEqual([`job:up:sum{job="a"}@${startMs} 3`, `job:up:sum{job="b"}@${startMs} {count:3, sum:4.5}`])
  })

  test('commit the results of a rule before the next one runs', async () => {
    const { clock, storage } = await startManager([
      makeGroup({ name: 'g', rules: [recording, makeRecordingRule('second', 'job:up:sum * 2')] }),
    ])
    storage.results.set('sum by (job) (up)', [[{ job: 'a' }, 3]])
    storage.results.set('job:up:sum * 2', [[{ job: 'a' }, 6]])
    await clock.advance(1)
    expect(storage.takeWritten()).toEqual([`job:up:sum{job="a"}@${startMs} 3`, `second{job="a"}@${startMs} 6`])
    expect(storage.commitsAtQuery).toEqual([0, 1])
  })

  test('write many results in batches, and stale markers for all of them', async () => {
    const { clock, storage } = await startManager([makeGroup({ name: 'g', rules: [recording] })])
    const rows = Array.from({ length: 2001 }, (_, i) => [{ job: String(i) }, i] as const)
    storage.results.set('sum by (job) (up)', rows)
    await clock.advance(1)
    await vi.waitFor(() => expect(storage.commits).toBe(3))
    expect(storage.takeWritten()).toHaveLength(2001)
    storage.results.set('sum by (job) (up)', rows.slice(1))
    await clock.advance(minute)
    await vi.waitFor(() => expect(storage.commits).toBe(6))
    expect(storage.takeWritten().filter((line) => line.endsWith('stale'))).toEqual([`job:up:sum{job="0"}@${startMs + minute} stale`])
  })

  test('write a stale marker for a series that vanished, once', async () => {
    const { clock, storage } = await startManager([makeGroup({ name: 'g', rules: [recording] })])
    storage.results.set('sum by (job) (up)', [[{ job: 'a' }, 3]])
    await clock.advance(1)
    storage.results.set('sum by (job) (up)', [])
    storage.takeWritten()
    await clock.advance(2 * minute)
    expect(storage.takeWritten()).toEqual([`job:up:sum{job="a"}@${startMs + minute} stale`])
  })

  test('shift query and results by the query offset', async () => {
    const { clock, storage } = await startManager([makeGroup({ name: 'g', queryOffsetMs: 5000, rules: [recording] })])
    storage.results.set('sum by (job) (up)', [[{}, 3]])
    await clock.advance(1)
    expect(storage.queries).toEqual([`sum by (job) (up)@${startMs - 5000}`])
    expect(storage.written).toEqual([`job:up:sum@${startMs - 5000} 3`])
  })

  test('count evaluations that an overlong one left out', async () => {
    let release: () => void = () => {}
    const slow = new Promise<void>((resolve) => (release = resolve))
    let calls = 0
    const storage = new FakeStorage()
    const { clock, registry } = await startManager([makeGroup({ name: 'g', rules: [recording] })], {
      query: async (expression, timeMs) => {
        if (calls++ === 0) await slow
        return storage.query(expression, timeMs)
      },
    })
    await clock.advance(3.5 * minute)
    release()
    await clock.advance(1)
    const missed = registry.counter('prometheus_rule_group_iterations_missed_total', '', ['rule_group'])
    expect(missed.labels('r.yml;g').value).toBe(2)
    expect(registry.counter('prometheus_rule_group_iterations_total', '', ['rule_group']).labels('r.yml;g').value).toBe(4)
    expect(storage.queries.at(-1)).toBe(`sum by (job) (up)@${startMs + 3 * minute}`)
  })

  test('go on after a rule that failed, and show its error', async () => {
    const { clock, storage, manager, registry } = await startManager([
      makeGroup({ name: 'g', rules: [makeRecordingRule('bad', 'bad'), recording] }),
    ])
    storage.results.set('bad', new Error('query timed out in expression evaluation'))
    await clock.advance(1)
    const [group] = viewRuleGroups(manager.groups()).groups
    expect(group?.rules.map((rule) => [rule.health, rule.lastError])).toEqual([
      ['err', 'query timed out in expression evaluation'],
      ['ok', undefined],
    ])
    expect(registry.counter('prometheus_rule_evaluation_failures_total', '', ['rule_group']).labels('r.yml;g').value).toBe(1)
  })

  test('show why a result was refused', async () => {
    const { clock, storage, manager } = await startManager([makeGroup({ name: 'g', rules: [recording] })])
    storage.results.set('sum by (job) (up)', [[{}, 3]])
    storage.refuseWith = 'series limit of 10 reached'
    await clock.advance(1)
    expect(viewRuleGroups(manager.groups()).groups[0]?.rules[0]).toMatchObject({ health: 'err', lastError: 'series limit of 10 reached' })
  })
})

describe('reload', () => {
  const alert = makeAlertingRule({ alert: 'Down', expr: 'up == 0', forMs: 5 * minute })

  test('leaves an unchanged group alone', async () => {
    const groups = [makeGroup({ name: 'g', rules: [recording] })]
    const { clock, manager } = await startManager(groups)
    await clock.advance(1)
    const [before] = manager.groups()
    await manager.update(loadGroups(...groups))
    expect(manager.groups()[0]).toBe(before)
  })

  test('carries pending alerts into a changed group and ends series of removed rules', async () => {
    const { clock, storage, manager } = await startManager([makeGroup({ name: 'g', rules: [alert, recording] })])
    storage.results.set('up == 0', [[{ job: 'a' }, 0]])
    storage.results.set('sum by (job) (up)', [[{ job: 'a' }, 3]])
    await clock.advance(2 * minute)
    storage.takeWritten()
    await manager.update(loadGroups(makeGroup({ name: 'g', rules: [{ ...alert, forMs: 10 * minute }] })))
    await clock.advance(minute)
    expect(viewAlerts(manager.groups()).alerts[0]).toMatchObject({ state: 'pending', activeAt: new Date(startMs).toISOString() })
    expect(storage.takeWritten()).toContain(`job:up:sum{job="a"}@${startMs + 2 * minute} stale`)
  })

  test('ends the series of a removed group two intervals later', async () => {
    const { clock, storage, manager } = await startManager([makeGroup({ name: 'g', rules: [recording] })])
    storage.results.set('sum by (job) (up)', [[{ job: 'a' }, 3]])
    await clock.advance(1)
    storage.takeWritten()
    await manager.update(loadGroups())
    await clock.advance(2 * minute - 1)
    expect(storage.takeWritten()).toEqual([])
    await clock.advance(1)
    expect(storage.takeWritten()).toEqual([`job:up:sum{job="a"}@${startMs} stale`])
  })
})

describe('restart', () => {
  const alert = makeAlertingRule({ alert: 'Down', expr: 'up == 0', forMs: 60 * minute })

  async function restartAfter(pendingMs: number, downMs: number) {
    const group = makeGroup({ name: 'g', rules: [alert] })
    const started = await startManager([group])
    const { storage } = started
    storage.results.set('up == 0', [[{ job: 'a' }, 0]])
    const restoreMs = startMs + minute
    const words = new Uint32Array(Float64Array.of((restoreMs - downMs - pendingMs) / 1000).buffer)
    const labels = Labels.from({ __name__: 'ALERTS_FOR_STATE', alertname: 'Down', job: 'a' })
    storage.lastSamples.push({ labels, timeMs: restoreMs - downMs, lowWord: words[0]!, highWord: words[1]! })
    return { ...started, restoreMs }
  }

  test('shifts the for clock by the outage', async () => {
    const { clock, manager, restoreMs } = await restartAfter(20 * minute, 5 * minute)
    await clock.advanceTo(restoreMs)
    expect(manager.groups()[0]?.alertingRules()[0]?.activeAlerts()[0]?.activeAtMs).toBe(restoreMs - 20 * minute)
  })

  test('keeps the for clock of an alert that was firing', async () => {
    const { clock, manager, restoreMs } = await restartAfter(60 * minute, 5 * minute)
    await clock.advanceTo(restoreMs + minute)
    expect(manager.groups()[0]?.alertingRules()[0]?.state).toBe('firing')
  })

  test('lets an alert that was about to fire wait for the grace period', async () => {
    const { clock, manager, restoreMs } = await restartAfter(55 * minute, 5 * minute)
    await clock.advanceTo(restoreMs + 9 * minute)
    expect(manager.groups()[0]?.alertingRules()[0]?.state).toBe('pending')
    await clock.advanceTo(restoreMs + 10 * minute)
    expect(manager.groups()[0]?.alertingRules()[0]?.state).toBe('firing')
  })

  test('takes no clock from a series that ended', async () => {
    const { clock, storage, manager, restoreMs } = await restartAfter(60 * minute, 5 * minute)
    const [sample] = storage.lastSamples.splice(0)
    storage.lastSamples.push({ ...sample!, lowWord: STALE_LOW, highWord: STALE_HIGH })
    await clock.advanceTo(restoreMs)
    expect(manager.groups()[0]?.alertingRules()[0]?.activeAlerts()[0]?.activeAtMs).toBe(startMs)
  })

  test('writes no ALERTS series before the clock is restored', async () => {
    const { clock, storage, restoreMs } = await restartAfter(20 * minute, 5 * minute)
    await clock.advanceTo(restoreMs)
    expect(storage.takeWritten()).toEqual([])
    await clock.advance(minute)
    expect(storage.takeWritten()).toHaveLength(2)
  })
})

describe('alerts', () => {
  test('are sent with times, link and the shapes of the API', async () => {
    const rule = makeAlertingRule({ alert: 'Down', expr: 'up == 0', labels: { severity: 'page' }, annotations: { summary: 'x' } })
    const { clock, storage, manager } = await startManager([makeGroup({ name: 'g', labels: { team: 'b' }, rules: [rule] })])
    storage.results.set('up == 0', [[{ __name__: 'up', job: 'a' }, 0]])
    await clock.advance(1)
    expect(storage.takeSent()).toEqual([
      {
        labels: { alertname: 'Down', job: 'a', severity: 'page', team: 'b' },
        annotations: { summary: 'x' },
        startsAt: new Date(startMs).toISOString(),
        endsAt: new Date(startMs + 4 * minute).toISOString(),
        generatorURL: 'http://prom:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1',
      },
    ])
    expect(viewRuleGroups(manager.groups()).groups[0]).toMatchObject({
      name: 'g',
      file: 'r.yml',
      interval: 60,
      limit: 0,
      rules: [
        {
          state: 'firing',
          name: 'Down',
          query: 'up == 0',
          duration: 0,
          keepFiringFor: 0,
          labels: { severity: 'page', team: 'b' },
          health: 'ok',
          type: 'alerting',
          alerts: [{ state: 'firing', value: '0e+00', activeAt: new Date(startMs).toISOString() }],
        },
      ],
    })
  })

  test('end with the time of their resolution', async () => {
    const { clock, storage } = await startManager([makeGroup({ name: 'g', rules: [makeAlertingRule({ alert: 'Down', expr: 'up == 0' })] })])
    storage.results.set('up == 0', [[{}, 0]])
    await clock.advance(1)
    storage.takeSent()
    storage.results.set('up == 0', [])
    await clock.advance(minute)
    expect(storage.takeSent()[0]?.endsAt).toBe(new Date(startMs + minute).toISOString())
  })
})

test('stop ends a running query and later evaluations', async () => {
  let aborted = false
  const { clock, manager } = await startManager([makeGroup({ name: 'g', rules: [recording] })], {
    query: (_expression, _timeMs, signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          aborted = true
          reject(new Error('query was canceled'))
        })
      }),
  })
  await clock.advance(1)
  await manager.stop()
  expect(aborted).toBe(true)
  expect(viewRuleGroups(manager.groups()).groups[0]?.rules[0]?.health).toBe('unknown')
})

describe('phases', () => {
  test('spread groups over the interval and lie in it', () => {
    const phases = Array.from({ length: 100 }, (_, i) => groupPhaseMs('r.yml', `g${i}`, minute))
    expect(phases.every((phaseMs) => phaseMs >= 0 && phaseMs < minute)).toBe(true)
    expect(Math.max(...phases) - Math.min(...phases)).toBeGreaterThan(minute / 2)
  })
})

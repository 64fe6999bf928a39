import { alertsUrl, createDirectDestination, createHttpDestination } from './alert-destination.ts'
import { compileRegex } from '@narthex/model/regex'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '@narthex/service/fake-clock'
import { Notifier } from './notifier.ts'
import { Registry } from '@narthex/service/metrics'
import { silentLogger } from '@narthex/service/logger'
import type { AlertDestination } from './notifier.ts'
import type { AlertPayload } from './interfaces.ts'
import type { RelabelRule } from '@narthex/relabel/relabel'

function makeAlert(labels: Record<string, string>): AlertPayload {
  return { labels, annotations: {}, startsAt: '2026-01-01T00:00:00Z', endsAt: '2026-01-01T00:04:00Z', generatorURL: 'http://x' }
}

function startNotifier(options: { queueCapacity?: number; batchSize?: number } = {}) {
  const clock = new FakeClock(0)
  const registry = new Registry()
  return { clock, registry, notifier: new Notifier({ clock, registry, log: silentLogger, ...options }) }
}

/** Holds every batch until it is let go. */
class SlowDestination implements AlertDestination {
  readonly url = 'http://slow/api/v2/alerts'
  readonly relabelRules: readonly RelabelRule[] = []
  readonly batches: (readonly AlertPayload[])[] = []
  #release: () => void = () => {}

  send(alerts: readonly AlertPayload[]): Promise<void> {
    this.batches.push(alerts)
    return new Promise((resolve) => (this.#release = resolve))
  }

  release(): void {
    this.#release()
  }
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => makeAlert({ n: String(from + i) }))

describe('notifier', () => {
  test('adds external labels where there are none, then relabels for all and for each', async () => {
    const { clock, notifier } = startNotifier()
    const received: AlertPayload[] = []
    const drop = makeRelabelRule({ sourceLabels: ['secret'], regexText: '.+', action: 'drop' })
    const rename = makeRelabelRule({ targetLabel: 'via', replacement: 'direct', action: 'replace' })
    const destination = { ...createDirectDestination('direct', (alerts) => void received.push(...alerts)), relabelRules: [rename] }
    notifier.update({ externalLabels: { zone: 'eu', team: 'x' }, relabelRules: [drop], destinations: [destination] })
    notifier.send([makeAlert({ alertname: 'A', team: 'b' }), makeAlert({ alertname: 'B', secret: 'yes' })])
    await clock.advance(0)
    expect(received.map((alert) => alert.labels)).toEqual([{ alertname: 'A', team: 'b', via: 'direct', zone: 'eu' }])
  })

  test('sends batches of 256, one at a time', async () => {
    const { clock, notifier } = startNotifier()
    const destination = new SlowDestination()
    notifier.update({ externalLabels: {}, relabelRules: [], destinations: [destination] })
    notifier.send(numbers(0, 257))
    await clock.advance(0)
    expect(destination.batches.map((batch) => batch.length)).toEqual([256])
    destination.release()
    await clock.advance(0)
    expect(destination.batches.map((batch) => batch.length)).toEqual([256, 1])
  })

  test('keeps as many as the queue holds and drops the oldest beyond', async () => {
    const { clock, notifier, registry } = startNotifier({ queueCapacity: 4, batchSize: 2 })
    const destination = new SlowDestination()
    notifier.update({ externalLabels: {}, relabelRules: [], destinations: [destination] })
    notifier.send(numbers(0, 2))
    await clock.advance(0)
    notifier.send(numbers(2, 6))
    const dropped = registry.counter('prometheus_notifications_dropped_total', '')
    expect(dropped.labels().value).toBe(0)
    notifier.send(numbers(6, 7))
    expect(dropped.labels().value).toBe(1)
    destination.release()
    await clock.advance(0)
    expect(destination.batches[1]?.map((alert) => alert.labels['n'])).toEqual(['3', '4'])
  })

  test('counts what was not taken and goes on', async () => {
    const { clock, notifier, registry } = startNotifier()
    notifier.update({ externalLabels: {}, relabelRules: [], destinations: [createDirectDestination('direct', () => 'refused')] })
    notifier.send(numbers(0, 3))
    await clock.advance(0)
    const errors = registry.counter('prometheus_notifications_errors_total', '', ['alertmanager'])
    expect(errors.labels('direct').value).toBe(3)
    expect(notifier.destinationUrls()).toEqual(['direct'])
  })

  test('stop sends what waits, but not beyond the deadline', async () => {
    const { clock, notifier } = startNotifier()
    const destination = new SlowDestination()
    notifier.update({ externalLabels: {}, relabelRules: [], destinations: [destination] })
    notifier.send(numbers(0, 1))
    let stopped = false
    const stopping = notifier.stop(1000).then(() => (stopped = true))
    await clock.advance(999)
    expect([destination.batches.length, stopped]).toEqual([1, false])
    await clock.advance(1)
    await stopping
    expect(stopped).toBe(true)
  })
})

describe('destinations', () => {
  test.each([
    ['', 'http://am:9093/api/v2/alerts'],
    ['/', 'http://am:9093/api/v2/alerts'],
    ['/prefix/', 'http://am:9093/prefix/api/v2/alerts'],
  ])('with prefix %j are at %s', (prefix, url) => {
    expect(alertsUrl('http', 'am:9093', prefix)).toBe(url)
  })

  test('post JSON and take only 2xx for an answer', async () => {
    const requests: { url: string; body: string }[] = []
    let status = 200
    const client = {
      request: (request: { url: string; body: string }) => {
        requests.push(request)
        return Promise.resolve({ status, body: new Uint8Array(0) })
      },
    }
    const destination = createHttpDestination({
      url: 'http://am/api/v2/alerts',
      client,
      timeoutMs: 10_000,
      relabelRules: [],
      userAgent: 'x',
    })
    await destination.send([makeAlert({ a: 'b' })], new AbortController().signal)
    expect(JSON.parse(requests[0]?.body ?? '')).toEqual([makeAlert({ a: 'b' })])
    status = 400
    await expect(destination.send([], new AbortController().signal)).rejects.toThrow('bad response status 400')
  })
})

describe('alerts to an alertmanager of a cloud', () => {
  test('bear what its account says, and a refusal forgets the credentials', async () => {
    const asked: string[] = []
    let forgotten = 0
    let status = 200
    const authorizer = {
      authorize: ({ method, url, body }: { method: string; url: URL; body: Uint8Array }) => {
        asked.push(`${method} ${url.pathname} ${Buffer.from(body).toString()}`)
        return Promise.resolve({ authorization: 'signed' })
      },
      forget: () => void forgotten++,
    }
    const sent: Readonly<Record<string, string>>[] = []
    const client = {
      request: ({ headers }: { headers: Readonly<Record<string, string>> }) => {
        sent.push(headers)
        return Promise.resolve({ status, body: new Uint8Array(0) })
      },
    }
    const url = 'http://am/api/v2/alerts'
    const destination = createHttpDestination({ url, client, timeoutMs: 1000, relabelRules: [], userAgent: 'x', authorizer })
    await destination.send([], new AbortController().signal)
    expect([asked, sent[0]!['authorization'], forgotten]).toEqual([['POST /api/v2/alerts []'], 'signed', 0])
    for (status of [401, 403, 500]) await expect(destination.send([], new AbortController().signal)).rejects.toThrow(`status ${status}`)
    expect(forgotten).toBe(2)
    // The rules end while the credentials are fetched.
    await expect(destination.send([], AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped')
    expect(sent).toHaveLength(4)
  })
})

function makeRelabelRule(rule: Partial<RelabelRule> & { readonly regexText?: string }): RelabelRule {
  const { regexText = '(.*)' } = rule
  const base = { sourceLabels: [], separator: ';', targetLabel: '', modulus: 0, replacement: '$1', action: 'replace' } as const
  return { ...base, ...rule, regexText, regex: compileRegex(regexText) }
}

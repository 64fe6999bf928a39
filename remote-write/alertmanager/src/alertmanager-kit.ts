import type { Alertmanager, AlertmanagerOptions } from './alertmanager.ts'
import type { AlertmanagerConfig, RouteConfig } from './config-shape.ts'
import type { ApiAnswer } from './api/api-answer.ts'
import type { HttpPostRequest } from './notify/http-post.ts'
import { createAlertmanager } from './alertmanager.ts'
import { FakeClock } from '@narthex/service/fake-clock'
import { mkdtemp, rm } from 'node:fs/promises'
import { parseMatchers } from './matcher-parser.ts'
import { join } from 'node:path'
import { Registry } from '@narthex/service/metrics'
import { Secret } from '@narthex/config/secret'
import { silentLogger } from '@narthex/service/logger'
import { tmpdir } from 'node:os'

/** For tests: a day in 2026. */
export const startMs = Date.UTC(2026, 0, 5, 12)
export const second = 1000
export const minute = 60_000
export const hour = 3_600_000

export function makeRoute(route: Partial<Omit<RouteConfig, 'matchers'>> & { readonly matchers?: string } = {}): RouteConfig {
  const { matchers = '', ...rest } = route
  return { continue: false, muteTimeIntervals: [], activeTimeIntervals: [], routes: [], ...rest, matchers: parseMatchers(matchers) }
}

export function makeWebhookReceiver(name: string, maxAlerts = 0, sendResolved = true) {
  const webhook = {
    kind: 'webhook',
    sendResolved,
    url: new Secret(`http://${name}/`),
    http: undefined,
    maxAlerts,
    timeoutMs: 0,
    hasPayload: false,
  } as const
  return { name, integrations: [webhook] }
}

export function makeConfig(config: Partial<AlertmanagerConfig> = {}): AlertmanagerConfig {
  const route = makeRoute({
    receiver: 'hook',
    groupBy: ['alertname'],
    groupWaitMs: 10 * second,
    groupIntervalMs: minute,
    repeatIntervalMs: hour,
  })
  return {
    text: '',
    resolveTimeoutMs: 5 * minute,
    route,
    receivers: [makeWebhookReceiver('hook')],
    inhibitRules: [],
    timeIntervals: new Map(),
    ...config,
  }
}

export interface SentMessage {
  readonly atMs: number
  readonly url: string
  readonly body: {
    readonly status: string
    readonly notification_reason: string
    readonly groupKey: string
    readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[]
  }
}

/** For tests: an alertmanager on a fake clock that notes what it sends. */
export class TestBench {
  readonly clock: FakeClock
  readonly registry: Registry
  readonly sent: SentMessage[] = []
  readonly directory: string
  alertmanager: Alertmanager
  /** Status that receivers answer with; 0 is no answer at all. */
  answer = 200

  private constructor(clock: FakeClock, directory: string, registry: Registry) {
    this.clock = clock
    this.directory = directory
    this.registry = registry
    // Set by `start` before anyone sees the bench.
    this.alertmanager = undefined as unknown as Alertmanager
  }

  static async start(config = makeConfig(), options: Partial<AlertmanagerOptions> = {}): Promise<TestBench> {
    const directory = await mkdtemp(join(tmpdir(), 'narthex-alertmanager-'))
    const bench = new TestBench(new FakeClock(startMs), directory, new Registry())
    await bench.restart(config, options)
    return bench
  }

  /** A new alertmanager over the same files and clock. */
  async restart(config = makeConfig(), options: Partial<AlertmanagerOptions> = {}): Promise<void> {
    this.alertmanager = await createAlertmanager({
      config,
      storagePath: this.directory,
      log: silentLogger,
      registry: this.registry,
      clock: this.clock,
      httpPost: (request) => this.#post(request),
      externalUrl: 'http://am',
      versionInfo: { branch: '', buildDate: '', buildUser: '', goVersion: '', revision: '', version: '0.0.0' },
      random: () => 0.5,
      ...options,
    })
  }

  async stop(): Promise<void> {
    await this.alertmanager.stop()
    await rm(this.directory, { recursive: true })
  }

  /** Posts firing alerts (or ended ones, with `endsAt`). */
  post(...alerts: (Readonly<Record<string, string>> | { labels: Readonly<Record<string, string>>; endsAt: string })[]): ApiAnswer {
    const body = alerts.map((alert) => (typeof alert.labels === 'object' ? alert : { labels: alert }))
    return this.request('POST', '/api/v2/alerts', body)
  }

  request(method: string, path: string, body?: unknown, query = ''): ApiAnswer {
    const text = body === undefined ? '' : JSON.stringify(body)
    const request = { method, path, query: new URLSearchParams(query), body: { text, contentType: 'application/json' } }
    return this.alertmanager.handleApi(request)
  }

  takeSent(): SentMessage[] {
    return this.sent.splice(0)
  }

  #post(request: HttpPostRequest): Promise<{ status: number; body: string }> {
    const body = JSON.parse(request.body) as SentMessage['body']
    this.sent.push({ atMs: this.clock.now() - startMs, url: request.url, body })
    if (this.answer === 0) return Promise.reject(new Error('connect ECONNREFUSED'))
    return Promise.resolve({ status: this.answer, body: '' })
  }
}

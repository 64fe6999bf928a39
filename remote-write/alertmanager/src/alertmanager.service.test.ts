import type { AddressInfo } from 'node:net'
import type { Alertmanager } from './alertmanager.ts'
import type { ChildProcess } from 'node:child_process'
import type { Server } from 'node:http'
import { adaptConfig } from './adapt-config.ts'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { builtinConfig } from './builtin-config.ts'
import { createAlertmanager } from './alertmanager.ts'
import { createHttpPoster } from './notify/http-poster.ts'
import { createServer } from 'node:http'
import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { parseAlertmanagerConfig } from '@narthex/config/alertmanager-config'
import { promisify } from 'node:util'
import { Registry } from '@narthex/service/metrics'
import { silentLogger } from '@narthex/service/logger'
import { systemClock } from '@narthex/service/clock'
import { tmpdir } from 'node:os'

const run = promisify(execFile)
const receivers = ['all', 'team-b', 'pager']

interface Hook {
  readonly receiver: string
  readonly headers: Record<string, unknown>
  readonly text: string
}

/** Their alertmanager and ours, with the same configuration but for the receivers' URLs. */
let directory: string
let sink: Server
let ourServer: Server
let ours: Alertmanager
let theirs: ChildProcess
let ourUrl: string
let theirUrl: string
const hooks: Record<'ours' | 'theirs', Hook[]> = { ours: [], theirs: [] }
const poster = createHttpPoster()

function writeYaml(sinkUrl: string, side: 'ours' | 'theirs'): string {
  return `route:
  receiver: all
  group_by: [alertname]
  group_wait: 1s
  group_interval: 2s
  repeat_interval: 1h
  routes:
    - matchers: [team="b"]
      receiver: team-b
      group_by: ['...']
      continue: true
    - match_re: {severity: page|ticket}
      receiver: pager
inhibit_rules:
  - source_matchers: [severity="page"]
    target_matchers: [severity="ticket"]
    equal: [instance]
receivers:
  - name: all
    webhook_configs: [{url: '${sinkUrl}/${side}/all'}]
  - name: team-b
    webhook_configs: [{url: '${sinkUrl}/${side}/team-b', max_alerts: 1}]
  - name: pager
    webhook_configs: [{url: '${sinkUrl}/${side}/pager', send_resolved: false}]
`
}

async function readRequest(request: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function freePort(): Promise<number> {
  const server = createServer()
  const url = await listen(server)
  server.close()
  await once(server, 'close')
  return Number(new URL(url).port)
}

async function startTheirs(storagePath: string, sinkUrl: string): Promise<[ChildProcess, string]> {
  const port = await freePort()
  await writeFile(join(directory, 'am.yml'), writeYaml(sinkUrl, 'theirs'))
  const flags = [`--config.file=${join(directory, 'am.yml')}`, `--storage.path=${storagePath}`, '--cluster.listen-address=']
  const listenFlags = [`--web.listen-address=127.0.0.1:${port}`, '--web.external-url=http://am.example']
  const child = spawn('prometheus-alertmanager', [...flags, ...listenFlags], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  theirs = child
  await vi.waitFor(async () => expect(await isReady(url)).toBe(true), { timeout: 10_000 })
  return [child, url]
}

async function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/-/ready`).then(
    (answer) => answer.ok,
    () => false,
  )
}

async function startOurs(storagePath: string, sinkUrl: string): Promise<Alertmanager> {
  return createAlertmanager({
    config: adaptConfig(parseAlertmanagerConfig(writeYaml(sinkUrl, 'ours'), 'am.yml')),
    storagePath,
    log: silentLogger,
    registry: new Registry(),
    clock: systemClock,
    httpPost: poster.post,
    externalUrl: 'http://am.example',
    versionInfo: { branch: '', buildDate: '', buildUser: '', goVersion: '', revision: '', version: '0.25.0' },
  })
}

function mount(getAlertmanager: () => Alertmanager): Server {
  return createServer((request, response) => {
    void readRequest(request).then((text) => {
      const url = new URL(request.url ?? '/', 'http://x')
      const body = { text, contentType: request.headers['content-type'] ?? '' }
      const answer = getAlertmanager().handleApi({ method: request.method ?? 'GET', path: url.pathname, query: url.searchParams, body })
      response.writeHead(answer.status, { ...answer.headers, 'content-type': answer.contentType }).end(answer.body)
    })
  })
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  child.kill()
  await once(child, 'exit')
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'narthex-alertmanager-service-'))
  sink = createServer((request, response) => {
    void readRequest(request).then((text) => {
      const [, side, receiver] = (request.url ?? '').split('/')
      hooks[side as 'ours' | 'theirs'].push({ receiver: receiver ?? '', headers: request.headers, text })
      response.end()
    })
  })
  const sinkUrl = await listen(sink)
  await mkdir(join(directory, 'ours'))
  ours = await startOurs(join(directory, 'ours'), sinkUrl)
  ourServer = mount(() => ours)
  ourUrl = await listen(ourServer)
  ;[theirs, theirUrl] = await startTheirs(join(directory, 'theirs'), sinkUrl)
})

afterAll(async () => {
  await stopChild(theirs)
  await ours.stop()
  await poster.close()
  for (const server of [ourServer, sink]) server.close()
  await rm(directory, { recursive: true })
})

async function post(path: string, body: unknown): Promise<string[]> {
  const answers = [ourUrl, theirUrl].map(async (url) => {
    const answer = await fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    return `${answer.status} ${await answer.text()}`
  })
  return Promise.all(answers)
}

async function getBoth(path: string): Promise<unknown[]> {
  return Promise.all([ourUrl, theirUrl].map(async (url) => normalise(await (await fetch(url + path)).json())))
}

/** Takes away what newer versions added and what depends on the moment. */
function normalise(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalise)
  if (typeof value !== 'object' || value === null) return value
  const dropped = new Set(['updatedAt', 'mutedBy', 'routeLabels', 'notification_reason'])
  const kept = Object.entries(value).filter(([name]) => !dropped.has(name))
  return Object.fromEntries(kept.map(([name, inner]) => [name, name === 'silencedBy' ? (inner as unknown[]).length : normalise(inner)]))
}

function messagesTo(side: 'ours' | 'theirs', receiver: string): unknown[] {
  const messages = hooks[side].filter((hook) => hook.receiver === receiver).map((hook) => normalise(JSON.parse(hook.text)))
  return messages.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

const startsAt = new Date(Date.now() - 100).toISOString().replace('Z', '456789Z')
interface SentAlert {
  readonly labels: Record<string, string>
  readonly annotations: Record<string, string>
  readonly generatorURL?: string
}

const bareAlerts: SentAlert[] = [
  {
    labels: { alertname: 'A', instance: 'one', job: 'j', team: 'b' },
    annotations: { summary: '<b> & "q" é\u2028' },
    generatorURL: 'http://g/?a=1&b=2',
  },
  { labels: { alertname: 'A', instance: 'two', team: 'b', severity: 'page' }, annotations: {} },
  { labels: { alertname: 'A', instance: 'two', severity: 'ticket' }, annotations: { summary: 'inhibited' } },
  { labels: { alertname: 'B', instance: 'three', job: 'k', empty: '' }, annotations: { summary: 'x', empty: '' } },
  { labels: { alertname: 'B', instance: 'four', job: 'k' }, annotations: { summary: 'x' } },
  { labels: { alertname: 'Silenced', instance: 'five' }, annotations: {} },
]
const alerts = bareAlerts.map((alert) => ({ generatorURL: '', ...alert, startsAt, endsAt: new Date(Date.now() + 3_600_000).toISOString() }))

describe('beside Alertmanager', () => {
  test('answers the same to alerts, groups and silences, and sends the same messages', async () => {
    const silence = {
      matchers: [{ name: 'alertname', value: 'Sil.+', isRegex: true }],
      startsAt,
      endsAt: new Date(Date.now() + 3_600_000).toISOString(),
      createdBy: 'me',
      comment: 'quiet',
    }
    expect((await post('/api/v2/silences', silence)).map((answer) => answer.slice(0, 3))).toEqual(['200', '200'])
    const [ourAnswer, theirAnswer] = await post('/api/v2/alerts', alerts)
    expect(ourAnswer).toBe(theirAnswer)
    await expect.poll(() => hooks.theirs.length, { timeout: 10_000 }).toBe(4)
    await expect.poll(() => hooks.ours.length, { timeout: 10_000 }).toBe(4)
    for (const receiver of receivers) expect(messagesTo('ours', receiver)).toEqual(messagesTo('theirs', receiver))

    for (const path of [
      '/alerts',
      '/alerts/groups',
      '/alerts?filter=team%3D%22b%22',
      '/alerts?silenced=false&inhibited=false',
      '/receivers',
    ]) {
      const [our, their] = await getBoth(`/api/v2${path}`)
      expect(our, path).toEqual(their)
    }

    const endsAt = new Date().toISOString()
    await post(
      '/api/v2/alerts',
      [alerts[1], alerts[3]].map((alert) => ({ ...alert, endsAt })),
    )
    hooks.ours.length = 0
    hooks.theirs.length = 0
    await expect.poll(() => hooks.theirs.length, { timeout: 10_000 }).toBe(3)
    await expect.poll(() => hooks.ours.length, { timeout: 10_000 }).toBe(3)
    for (const receiver of receivers) expect(messagesTo('ours', receiver)).toEqual(messagesTo('theirs', receiver))
    const [our, their] = await getBoth('/api/v2/alerts/groups')
    expect(our).toEqual(their)
  })

  test.each([
    ['/api/v2/alerts', [{ labels: {} }, { labels: { a: 'x' }, startsAt: '2026-01-02T00:00:00Z', endsAt: '2026-01-01T00:00:00Z' }]],
    ['/api/v2/alerts', [{ annotations: {} }]],
    ['/api/v2/alerts', [{ labels: { a: 1 } }]],
    ['/api/v2/alerts', {}],
    ['/api/v2/alerts', [{ labels: { a: '1' }, generatorURL: '::bad' }]],
    ['/api/v2/silences', {}],
    ['/api/v2/silences', { matchers: [], comment: 'c', createdBy: 'm', startsAt, endsAt: startsAt }],
    ['/api/v2/silences', { matchers: [{ name: 'a' }], comment: 'c', createdBy: 'm', startsAt, endsAt: startsAt }],
    ['/api/v2/silences', { matchers: [{ name: 'a', value: 'b', isRegex: 'x' }] }],
    [
      '/api/v2/silences',
      { matchers: [{ name: 'a', value: 'b', isRegex: false }], comment: 'c', createdBy: 'm', startsAt, endsAt: startsAt },
    ],
    ['/api/v2/nothing', []],
  ])('refuses on %s the body %j in the same words', async (path, body) => {
    const [our, their] = await post(path, body)
    expect(our?.trim()).toBe(their?.trim())
  })
})

async function amtool(...flags: string[]): Promise<string> {
  const { stdout } = await run('amtool', [`--alertmanager.url=${ourUrl}`, '--no-version-check', ...flags])
  return stdout.trim()
}

describe('amtool', () => {
  test('adds and queries alerts', async () => {
    await amtool('alert', 'add', 'alertname=FromTool', 'node=bar', '--annotation=summary=by hand')
    const found = JSON.parse(await amtool('alert', 'query', 'alertname=FromTool', '-o', 'json')) as { labels: unknown }[]
    expect(found.map((alert) => alert.labels)).toEqual([{ alertname: 'FromTool', node: 'bar' }])
    expect(await amtool('alert', 'query', 'node=~b.r')).toContain('FromTool')
  })

  test('adds, queries, updates and expires silences', async () => {
    const id = await amtool('silence', 'add', 'alertname=FromTool', 'node=~"b.*"', '-c', 'why', '-a', 'me')
    expect(await amtool('silence', 'query', 'alertname=FromTool', '-q')).toBe(id)
    expect(await amtool('alert', 'query', 'alertname=FromTool', '-s', '-o', 'extended')).toContain('suppressed')
    await amtool('silence', 'update', id, '-c', 'longer', '-d', '2h')
    expect(await amtool('silence', 'query', '-o', 'json', 'alertname=FromTool')).toContain('longer')
    await amtool('silence', 'expire', id)
    expect(await amtool('silence', 'query', 'alertname=FromTool', '-q')).toBe('')
    expect(await amtool('silence', 'query', 'alertname=FromTool', '-q', '--expired')).toBe(id)
  })
})

describe('amtool config', () => {
  test('shows the configuration and tests its routes', async () => {
    expect(await amtool('config', 'show')).toContain('group_interval: 2s')
    // What came after amtool 0.25 is taken out: webhook URLs are secret since 0.26, and there are newer keys.
    const { config } = (await (await fetch(`${ourUrl}/api/v2/status`)).json()) as { config: { original: string } }
    const path = join(directory, 'printed.yml')
    const printed = config.original.replaceAll('<secret>', 'http://hidden/').replaceAll(/^ *(slack_app_url|rocketchat_api_url):.*\n/gm, '')
    await writeFile(path, printed.replaceAll(/^ *labels:\n *name:.*\n/gm, ''))
    const routesTest = (...labels: string[]) => amtool('config', 'routes', 'test', `--config.file=${path}`, ...labels)
    expect(await routesTest('team=b', 'severity=page')).toBe('team-b,pager')
    expect(await routesTest('team=x')).toBe('all')
  })

  test('checks the built-in configuration', async () => {
    const path = join(directory, 'builtin.yml')
    await writeFile(path, builtinConfig)
    const { stdout } = await run('amtool', ['check-config', path])
    expect(stdout).toContain('1 receivers')
  })
})

describe('storage', () => {
  test('silences and notification log go from Alertmanager to us and back', async () => {
    const sinkUrl = `http://127.0.0.1:${(sink.address() as AddressInfo).port}`
    const before = (await (await fetch(`${theirUrl}/api/v2/silences`)).json()) as unknown[]
    expect(before).toHaveLength(1)
    await stopChild(theirs)
    hooks.ours.length = 0
    const heir = await startOurs(join(directory, 'theirs'), sinkUrl)
    const read = (path: string) =>
      heir.handleApi({ method: 'GET', path, query: new URLSearchParams(), body: { text: '', contentType: '' } })
    expect(JSON.parse(read('/api/v2/silences').body)).toEqual(before)
    // What Alertmanager told and noted is not told again.
    const told = alerts.filter((alert) => alert.labels['instance'] === 'four')
    heir.receive(told)
    await new Promise((resolve) => setTimeout(resolve, 3000))
    expect(hooks.ours.filter((hook) => hook.text.includes('"four"'))).toEqual([])
    await heir.stop()
    ;[theirs, theirUrl] = await startTheirs(join(directory, 'theirs'), sinkUrl)
    expect(await (await fetch(`${theirUrl}/api/v2/silences`)).json()).toEqual(before)
  })
})

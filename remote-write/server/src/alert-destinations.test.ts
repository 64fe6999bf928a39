import { startStub, type StubServer } from '@narthex/http/testkit/stub-server'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { createLogger } from '@narthex/service/logger'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDestinations, type AlertDestinations } from './alert-destinations.ts'

let alertmanager: StubServer
let status: number
let lines: string[]
let opened: AlertDestinations | undefined

beforeEach(async () => {
  status = 200
  lines = []
  alertmanager = await startStub(() => ({ status }))
})

afterEach(async () => {
  await opened?.close()
  alertmanager.close()
})

async function open(keys: string): Promise<AlertDestinations> {
  const address = alertmanager.url.slice('http://'.length)
  const text = `alerting:\n  alertmanagers:\n  - static_configs: [{targets: ['${address}']}]\n    path_prefix: /ws/1\n    ${keys}\n`
  const { alerting } = parsePrometheusConfig(text, { path: 'p.yml', mode: 'server' })
  opened = await openDestinations(alerting, { log: createLogger({ write: (line) => void lines.push(line) }), userAgent: 'agent/1' })
  return opened
}

const alert = { labels: { alertname: 'Näme' }, annotations: {}, startsAt: '', endsAt: '', generatorURL: '' }
const { signal } = new AbortController()

test('alerts are signed with the account of sigv4', async () => {
  const { destinations } = await open('sigv4: {region: eu-west-1, access_key: KEY, secret_key: hunter2}')
  expect(destinations.map(({ url }) => url)).toEqual([`${alertmanager.url}/ws/1/api/v2/alerts`])
  await destinations[0]!.send([alert], signal)
  const [{ headers, body, url }] = alertmanager.requests as [StubServer['requests'][number]]
  expect(url.pathname).toBe('/ws/1/api/v2/alerts')
  expect(JSON.parse(body)).toEqual([alert])
  expect(headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'agent/1' })
  const day = String(headers['x-amz-date']).slice(0, 8)
  expect(headers['authorization']).toContain(`AWS4-HMAC-SHA256 Credential=KEY/${day}/eu-west-1/aps/aws4_request, SignedHeaders=`)
})

test('a refusal is an error, and one destination without sigv4 is not signed', async () => {
  status = 403
  const { destinations } = await open('scheme: http')
  await expect(destinations[0]!.send([alert], signal)).rejects.toThrow('bad response status 403')
  expect(alertmanager.requests[0]!.headers['authorization']).toBeUndefined()
})

test('one line says that a mechanism is not built for alertmanagers', async () => {
  const { destinations } = await open('dns_sd_configs: [{names: [a.example]}]')
  expect(destinations).toHaveLength(1)
  expect(lines.join('')).toContain('alertmanagers found by dns_sd_configs are not built yet')
})

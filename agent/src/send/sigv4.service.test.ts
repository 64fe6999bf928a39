import { Secret } from '@narthex/config/secret'
import { signRequest } from '@narthex/http/sigv4'
import { startPrometheus, type Service } from '@narthex/test/kit/services'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'

interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

const received: Received[] = []
const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => void chunks.push(chunk))
  request.on('end', () => {
    received.push({ path: request.url!, headers: request.headers, body: Buffer.concat(chunks) })
    response.writeHead(204).end()
  })
})
let url: string
let prometheus: Service

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  prometheus = await startPrometheus({
    config: `
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs: [{job_name: j, static_configs: [{targets: ['127.0.0.1:1']}]}]
remote_write:
- url: ${url}/workspaces/ws-1/api/v1/remote_write?a=b%20c
  sigv4: {region: eu-west-1, access_key: KEY, secret_key: SECRET}
  queue_config: {batch_send_deadline: 100ms}
`,
  })
})

afterAll(async () => {
  await prometheus.stop()
  server.closeAllConnections()
  server.close()
})

test('signs as Prometheus does, whose requests have the signature we would give them', async () => {
  await expect.poll(() => received.length, { timeout: 15_000, interval: 50 }).toBeGreaterThan(1)
  console.log(received.map(({ headers, body }) => [headers.authorization, body.length]))
  for (const { path, headers, body } of received.slice(0, 5)) {
    const authorization = String(headers.authorization)
    const signed = /SignedHeaders=([^,]+)/.exec(authorization)![1]!.split(';')
    const own = signed.filter((name) => name !== 'host' && name !== 'x-amz-date')
    const date = String(headers['x-amz-date'])
    const nowMs = Date.parse(date.replace(/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/, '$1-$2-$3T$4:$5:$6Z'))
    const again = signRequest(
      { method: 'POST', url: new URL(path, url), headers: Object.fromEntries(own.map((name) => [name, String(headers[name])])), body },
      { accessKeyId: 'KEY', secretAccessKey: new Secret('SECRET') },
      { region: 'eu-west-1', service: 'aps', nowMs },
    )
    expect(again).toEqual({ authorization, 'x-amz-date': date })
  }
})

import { startPrometheus, type Service } from '@narthex/test/kit/services'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { Secret } from '@narthex/config/secret'
import { signRequest } from '@narthex/http/sigv4'
import type { StubRequest } from '@narthex/http/testkit/stub-server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { createEc2Discoverer } from './ec2.ts'
import { RecordedDiscovery } from './testkit/recorded-discovery.ts'
import { fullInstance, startStubEc2, type StubEc2 } from './testkit/stub-ec2.ts'
import { until } from './testkit/stub-server.ts'

let ec2: StubEc2
let prometheus: Service
let recorded: RecordedDiscovery

beforeAll(async () => {
  ec2 = await startStubEc2()
  ec2.instances = [{ id: 'i-none' }, fullInstance, { id: 'i-plain', privateIp: '10.0.0.6' }]
  ec2.pageSize = 2
  const config = `
scrape_configs:
- job_name: j
  ec2_sd_configs: [{endpoint: '${ec2.url}', region: eu-west-1, access_key: KEY, secret_key: SECRET, port: 9100, filters: [{name: 'tag:a', values: [b]}]}]
`
  prometheus = await startPrometheus({ config })
  recorded = new RecordedDiscovery(new FakeClock(Date.now()))
})

afterAll(async () => {
  recorded.stop()
  await prometheus.stop()
  ec2.close()
})

/** Labels that Prometheus 2.42 does not have yet. */
const newLabels = new Set(['__meta_ec2_primary_ipv6_addresses'])

async function fetchTargets(): Promise<Record<string, string>[]> {
  const answer = (await (await fetch(`${prometheus.url}/api/v1/targets`)).json()) as {
    data: { activeTargets: { discoveredLabels: Record<string, string> }[] }
  }
  return answer.data.activeTargets.map(({ discoveredLabels }) =>
    Object.fromEntries(
      Object.entries(discoveredLabels).filter(([name, value]) => (name.startsWith('__meta_') || name === '__address__') && value !== ''),
    ),
  )
}

/** The signature that we would give a request of Prometheus, over the headers that it chose, at its time. */
function signAgain({ method, url, headers, body }: StubRequest): string {
  const signed = /SignedHeaders=([^,]+)/.exec(String(headers.authorization))![1]!.split(';')
  const own = signed.filter((name) => name !== 'host' && name !== 'x-amz-date').map((name) => [name, String(headers[name])])
  const date = String(headers['x-amz-date']).replace(/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/, '$1-$2-$3T$4:$5:$6Z')
  const credentials = { accessKeyId: 'KEY', secretAccessKey: new Secret('SECRET') }
  const scope = { region: 'eu-west-1', service: 'ec2', nowMs: Date.parse(date) }
  return signRequest({ method, url, headers: Object.fromEntries(own), body }, credentials, scope)['authorization']!
}

test('finds what Prometheus finds, asks with the same forms, and signs as the AWS library in it', async () => {
  let theirs: Record<string, string>[] = []
  await expect.poll(async () => (theirs = await fetchTargets()).length, { timeout: 15_000, interval: 100 }).toBe(2)
  const formsOfTheirs = ec2.requests.map(({ body }) => body)
  for (const request of ec2.requests) expect(signAgain(request)).toBe(request.headers.authorization)
  ec2.requests.length = 0
  const config = { endpoint: ec2.url, region: 'eu-west-1', accessKey: 'KEY', secretKey: new Secret('SECRET'), port: 9100 }
  const filters = [{ name: 'tag:a', values: ['b'] }]
  recorded.start(
    createEc2Discoverer(
      { mechanism: 'ec2', ...config, filters, refreshIntervalMs: 60_000, http: defaultHttpClientConfig },
      recorded.context,
    ),
  )
  await until(() => recorded.updates === 1)
  const ours = recorded.targets().map((target) => Object.fromEntries(Object.entries(target).filter(([name]) => !newLabels.has(name))))
  const byAddress = (a: Record<string, string>, b: Record<string, string>): number => (a['__address__']! < b['__address__']! ? -1 : 1)
  expect(ours).toEqual(theirs.sort(byAddress))
  const sorted = (body: string): string[] => [...new URLSearchParams(body)].map(([name, value]) => `${name}=${value}`).sort()
  // Ours asks for pages of a bounded length.
  const formsOfOurs = ec2.requests.map(({ body }) => sorted(body).filter((pair) => !pair.startsWith('MaxResults=')))
  expect(formsOfOurs).toEqual(formsOfTheirs.map(sorted))
})

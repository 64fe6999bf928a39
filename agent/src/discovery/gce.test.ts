import { startStub, type StubAnswer, type StubServer } from '@narthex/http/testkit/stub-server'
import type { GceDiscovery } from '@narthex/config/cloud-discovery-machines'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { machinesMax } from './cloud-requests.ts'
import { createGceDiscoverer } from './gce.ts'
import { RecordedDiscovery } from './testkit/recorded-discovery.ts'
import { until } from './testkit/stub-server.ts'

let google: StubServer
let recorded: RecordedDiscovery
let items: unknown[]
let pageSize: number
let override: () => StubAnswer | undefined

const instance = (name: string, ip: string, more: object = {}): object => ({
  name,
  networkInterfaces: [{ networkIP: ip, name: 'nic0' }],
  ...more,
})

const isToken = (path: string): boolean => path.startsWith('/computeMetadata/')

beforeEach(async () => {
  items = []
  pageSize = 500
  override = () => undefined
  google = await startStub(({ url, headers }) => {
    if (isToken(url.pathname)) return { body: JSON.stringify({ access_token: `t${tokenRequests()}`, expires_in: 3600 }) }
    const other = override()
    if (other !== undefined) return other
    if (!String(headers.authorization).startsWith('Bearer t')) return { status: 401 }
    const from = Number(url.searchParams.get('pageToken')?.slice('page-'.length) ?? 0)
    const to = from + pageSize
    return { body: JSON.stringify({ items: items.slice(from, to), ...(to < items.length ? { nextPageToken: `page-${to}` } : {}) }) }
  })
  recorded = new RecordedDiscovery(new FakeClock(), { HOME: '/nonexistent', GCE_METADATA_HOST: google.url.slice('http://'.length) })
})

afterEach(() => {
  recorded.stop()
  google.close()
})

const tokenRequests = (): number => google.requests.filter(({ url }) => isToken(url.pathname)).length
const listRequests = (): URL[] => google.requests.map(({ url }) => url).filter(({ pathname }) => !isToken(pathname))
const failures = (): number => recorded.metric('prometheus_sd_refresh_failures_total{mechanism="gce",config="j"}')

function start(more: Partial<GceDiscovery> = {}): void {
  const config: GceDiscovery = {
    mechanism: 'gce',
    project: 'my project',
    zone: 'europe-west1-b',
    port: 9100,
    tagSeparator: ',',
    refreshIntervalMs: 60_000,
    ...more,
  }
  recorded.start(createGceDiscoverer(config, recorded.context, google.url))
}

test('gives every label of a machine', async () => {
  items = [
    {
      id: '8087716956832600000',
      name: 'vm1',
      status: 'RUNNING',
      zone: 'https://www.googleapis.com/compute/v1/projects/p/zones/europe-west1-b',
      machineType: 'https://www.googleapis.com/machineTypes/f1-micro',
      networkInterfaces: [
        {
          name: 'nic0',
          network: 'https://www.googleapis.com/networks/default',
          subnetwork: 'https://www.googleapis.com/subnetworks/default',
          networkIP: '10.0.0.2',
          accessConfigs: [{ type: 'ONE_TO_ONE_NAT', natIP: '34.1.2.3' }],
        },
        { name: 'nic-1', networkIP: '10.1.0.2' },
      ],
      tags: { items: ['http', 'db'] },
      metadata: { items: [{ key: 'start-up', value: 'x' }, { key: 'empty' }] },
      labels: { 'my-label': 'y' },
    },
  ]
  start({ tagSeparator: ';' })
  await until(() => recorded.updates === 1)
  expect(recorded.targets()).toEqual([
    {
      __address__: '10.0.0.2:9100',
      __meta_gce_instance_id: '8087716956832600000',
      __meta_gce_instance_name: 'vm1',
      __meta_gce_instance_status: 'RUNNING',
      __meta_gce_interface_ipv4_nic0: '10.0.0.2',
      __meta_gce_interface_ipv4_nic_1: '10.1.0.2',
      __meta_gce_label_my_label: 'y',
      __meta_gce_machine_type: 'https://www.googleapis.com/machineTypes/f1-micro',
      __meta_gce_metadata_start_up: 'x',
      __meta_gce_network: 'https://www.googleapis.com/networks/default',
      __meta_gce_private_ip: '10.0.0.2',
      __meta_gce_project: 'my project',
      __meta_gce_public_ip: '34.1.2.3',
      __meta_gce_subnetwork: 'https://www.googleapis.com/subnetworks/default',
      __meta_gce_tags: ';http;db;',
      __meta_gce_zone: 'https://www.googleapis.com/compute/v1/projects/p/zones/europe-west1-b',
    },
  ])
  expect([...recorded.groups.keys()]).toEqual(['GCE_my project_europe-west1-b'])
})

test('reads all pages with the filter in each, and one token for all', async () => {
  items = Array.from({ length: 5 }, (_, i) => instance(`vm${i}`, `10.0.0.${i}`))
  items.push({ name: 'no-network' })
  pageSize = 2
  start({ filter: 'status = RUNNING' })
  await until(() => recorded.updates === 1)
  expect(recorded.addresses().length).toBe(5)
  expect(listRequests().map(({ searchParams }) => [searchParams.get('pageToken'), searchParams.get('filter')])).toEqual([
    [null, 'status = RUNNING'],
    ['page-2', 'status = RUNNING'],
    ['page-4', 'status = RUNNING'],
  ])
  expect(listRequests()[0]!.pathname).toBe('/compute/v1/projects/my%20project/zones/europe-west1-b/instances')
  expect(tokenRequests()).toBe(1)
})

test('takes as many machines over all pages as it may, and refuses one more', async () => {
  items = Array.from({ length: machinesMax }, () => ({}))
  items[0] = instance('vm', '10.0.0.1')
  pageSize = machinesMax / 2
  start()
  await until(() => recorded.updates === 1)
  expect(recorded.addresses()).toEqual(['10.0.0.1:9100'])
  items.push({})
  await recorded.clock.advance(60_000)
  await until(() => failures() === 1)
  expect(recorded.lines.join('')).toContain('cannot list GCE instances: want at most 100000 machines, got more')
  expect(recorded.addresses()).toEqual(['10.0.0.1:9100'])
})

test('asks again with another token when the old one is refused', async () => {
  items = [instance('vm', '10.0.0.1')]
  start()
  await until(() => recorded.updates === 1)
  let refusals = 0
  override = () => (refusals++ === 0 ? { status: 401, body: '{"error": {"message": "Invalid Credentials"}}' } : undefined)
  await recorded.clock.advance(60_000)
  await until(() => recorded.updates === 2)
  expect(tokenRequests()).toBe(2)
})

test.each<[string, StubAnswer]>([
  ['429', { status: 429, headers: { 'retry-after': '7' } }],
  [
    '403 rateLimitExceeded',
    { status: 403, headers: { 'retry-after': '7' }, body: '{"error": {"errors": [{"reason": "rateLimitExceeded"}]}}' },
  ],
])('waits as long as a %s says', async (_name, answer) => {
  items = [instance('vm', '10.0.0.1')]
  let refusals = 0
  override = () => (refusals++ === 0 ? answer : undefined)
  start()
  await until(() => recorded.clock.timerCount === 1)
  await recorded.clock.advance(6_999)
  expect(listRequests().length).toBe(1)
  await recorded.clock.advance(1)
  await until(() => recorded.updates === 1)
  expect(recorded.addresses()).toEqual(['10.0.0.1:9100'])
  expect(tokenRequests()).toBe(1)
})

test.each<[string, StubAnswer, string]>([
  ['no JSON', { body: '<html>' }, 'cannot read the list of GCE instances: want JSON'],
  ['a list', { body: '[]' }, 'want a JSON object'],
  ['an error', { status: 404, body: '{"error":\n"no such zone"}' }, 'error retrieving refresh targets from gce: HTTP 404'],
  ['the same page for ever', { body: '{"nextPageToken": "x"}' }, 'names the same page again'],
])('keeps what it knows when it gets %s', async (_name, answer, reason) => {
  items = [instance('vm', '10.0.0.1')]
  start()
  await until(() => recorded.updates === 1)
  override = () => answer
  await recorded.clock.advance(60_000)
  await until(() => failures() === 1)
  expect(recorded.lines.join('')).toContain(reason)
  expect(recorded.addresses()).toEqual(['10.0.0.1:9100'])
})

test('takes fields of another kind as missing', async () => {
  items = [null, 7, { networkInterfaces: 'x' }, instance('vm', '10.0.0.1', { labels: [], tags: { items: [1] }, metadata: 'x', id: 5 })]
  start()
  await until(() => recorded.updates === 1)
  expect(Object.keys(recorded.targets()[0]!).sort()).toEqual([
    '__address__',
    '__meta_gce_instance_name',
    '__meta_gce_interface_ipv4_nic0',
    '__meta_gce_private_ip',
    '__meta_gce_project',
  ])
})

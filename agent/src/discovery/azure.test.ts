import { startStub, type StubAnswer, type StubRequest, type StubServer } from '@narthex/http/testkit/stub-server'
import type { AzureDiscovery } from '@narthex/config/cloud-discovery-machines'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { Secret } from '@narthex/config/secret'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { findAzureEndpoints } from './azure-api.ts'
import { machinesMax } from './cloud-requests.ts'
import { AzureInterfaces, interfacesMax } from './azure-interfaces.ts'
import { createAzureDiscoverer } from './azure.ts'
import { RecordedDiscovery } from './testkit/recorded-discovery.ts'
import { until } from './testkit/stub-server.ts'

const group = '/subscriptions/sub/resourceGroups/my-group/providers'
const nicId = (name: string): string => `${group}/Microsoft.Network/networkInterfaces/${name}`

let azure: StubServer
let recorded: RecordedDiscovery
/** Path → what is there; lists are given in pages of two. */
let resources: Map<string, unknown>
let override: (request: StubRequest) => StubAnswer | undefined

beforeEach(async () => {
  resources = new Map()
  override = () => undefined
  azure = await startStub((request) => {
    const { url, headers } = request
    if (url.pathname.endsWith('/oauth2/v2.0/token'))
      return { body: JSON.stringify({ access_token: `t${tokenRequests()}`, expires_in: 3600 }) }
    const other = override(request)
    if (other !== undefined) return other
    if (!String(headers.authorization).startsWith('Bearer t')) return { status: 401 }
    const found = resources.get(url.pathname)
    if (found === undefined) return undefined
    if (!Array.isArray(found)) return { body: JSON.stringify(found) }
    const from = Number(url.searchParams.get('skip') ?? 0)
    const nextLink = from + 2 < found.length ? { nextLink: `${azure.url}${url.pathname}?api-version=x&skip=${from + 2}` } : {}
    return { body: JSON.stringify({ value: found.slice(from, from + 2), ...nextLink }) }
  })
  recorded = new RecordedDiscovery(new FakeClock())
})

afterEach(() => {
  recorded.stop()
  azure.close()
})

const tokenRequests = (): number => azure.requests.filter(({ url }) => url.pathname.endsWith('/token')).length
const nicRequests = (): URL[] => azure.requests.map(({ url }) => url).filter(({ pathname }) => pathname.includes('networkInterfaces'))
const failures = (): number => recorded.metric('prometheus_sd_azure_failures_total')
const hits = (): number => recorded.metric('prometheus_sd_azure_cache_hit_total')

const nic = (privateIp: string | undefined, more: object = { primary: true }): object => ({
  properties: { ...more, ipConfigurations: [{ properties: privateIp === undefined ? {} : { privateIPAddress: privateIp } }] },
})

function machine(name: string, nics: readonly string[], more: object = {}): object {
  const properties = { networkProfile: { networkInterfaces: nics.map((id) => ({ id: nicId(id) })) }, ...more }
  return { id: `${group}/Microsoft.Compute/virtualMachines/${name}`, name, location: 'westeurope', properties }
}

function put(machines: readonly unknown[], nics: Readonly<Record<string, object>>, base = '/subscriptions/sub'): void {
  resources.set(`${base}/providers/Microsoft.Compute/virtualMachines`, machines)
  resources.set(`${base}/providers/Microsoft.Compute/virtualMachineScaleSets`, [])
  for (const [name, fields] of Object.entries(nics)) resources.set(nicId(name), fields)
}

function start(more: Partial<AzureDiscovery> = {}): void {
  const config: AzureDiscovery = {
    mechanism: 'azure',
    environment: 'AzurePublicCloud',
    port: 9100,
    subscriptionId: 'sub',
    tenantId: 'ten',
    clientId: 'cli',
    clientSecret: new Secret('hunter2'),
    authenticationMethod: 'OAuth',
    refreshIntervalMs: 300_000,
    http: defaultHttpClientConfig,
    ...more,
  }
  const endpoints = { authority: azure.url, manager: azure.url, scope: 'https://management.azure.com/.default' }
  recorded.start(createAzureDiscoverer(config, recorded.context, endpoints))
}

describe('azure_sd_configs', () => {
  test('gives every label of a machine', async () => {
    const details = {
      hardwareProfile: { vmSize: 'Standard_B1s' },
      osProfile: { computerName: 'computer' },
      storageProfile: { osDisk: { osType: 'Linux' } },
    }
    const publicIp = { publicIPAddress: { properties: { ipAddress: '20.1.2.3' } } }
    const first = { properties: { privateIPAddress: '10.0.0.4', ...publicIp } }
    const second = { properties: { primary: true, ipConfigurations: [first, { properties: { privateIPAddress: '10.0.0.5' } }] } }
    put([{ ...machine('vm1', ['a', 'b'], details), tags: { 'my tag': 'v' } }], { a: nic('10.9.9.9', { primary: false }), b: second })
    start()
    await until(() => recorded.updates === 1)
    expect(recorded.targets()).toEqual([
      {
        __address__: '10.0.0.4:9100',
        __meta_azure_machine_computer_name: 'computer',
        __meta_azure_machine_id: `${group}/Microsoft.Compute/virtualMachines/vm1`,
        __meta_azure_machine_location: 'westeurope',
        __meta_azure_machine_name: 'vm1',
        __meta_azure_machine_os_type: 'Linux',
        __meta_azure_machine_private_ip: '10.0.0.4',
        __meta_azure_machine_public_ip: '20.1.2.3',
        __meta_azure_machine_resource_group: 'my-group',
        __meta_azure_machine_size: 'Standard_B1s',
        __meta_azure_machine_tag_my_tag: 'v',
        __meta_azure_subscription_id: 'sub',
        __meta_azure_tenant_id: 'ten',
      },
    ])
    expect(nicRequests()[0]!.searchParams.get('$expand')).toBe('IPConfigurations/PublicIPAddress')
    const form = Object.fromEntries(new URLSearchParams(azure.requests[0]!.body))
    expect(form).toMatchObject({ client_id: 'cli', client_secret: 'hunter2', scope: 'https://management.azure.com/.default' })
  })

  test('finds the machines of scale sets', async () => {
    put([], {})
    const setId = `${group}/Microsoft.Compute/virtualMachineScaleSets/set`
    const ofSet = `${setId}/virtualMachines/0/networkInterfaces/nic`
    resources.set('/subscriptions/sub/providers/Microsoft.Compute/virtualMachineScaleSets', [{ id: setId, name: 'set' }])
    const properties = { networkProfile: { networkInterfaces: [{ id: ofSet }] } }
    resources.set(`${setId}/virtualMachines`, [{ id: `${setId}/virtualMachines/0`, name: 'set_0', instanceId: '0', properties }])
    resources.set(ofSet, nic('10.0.1.4'))
    start()
    await until(() => recorded.updates === 1)
    expect(recorded.targets()[0]).toMatchObject({
      __address__: '10.0.1.4:9100',
      __meta_azure_machine_name: 'set_0',
      __meta_azure_machine_scale_set: 'set',
    })
    expect(nicRequests()[0]!.searchParams.get('api-version')).toBe('2018-10-01')
  })

  test('reads all pages', async () => {
    const names = Array.from({ length: 5 }, (_, i) => `vm${i}`)
    put(
      names.map((name) => machine(name, [name])),
      Object.fromEntries(names.map((name, i) => [name, nic(`10.0.0.${i}`)])),
    )
    start()
    await until(() => recorded.updates === 1)
    expect(recorded.addresses()).toEqual([0, 1, 2, 3, 4].map((i) => `10.0.0.${i}:9100`))
    expect(tokenRequests()).toBe(1)
  })

  test('takes as many machines and scale sets in all as it may, and refuses one more', async () => {
    put([machine('vm', ['a'])], { a: nic('10.0.0.1') })
    const setId = `${group}/Microsoft.Compute/virtualMachineScaleSets/set`
    resources.set('/subscriptions/sub/providers/Microsoft.Compute/virtualMachineScaleSets', [{ id: setId, name: 'set' }])
    let ofSet = machinesMax - 2
    override = ({ url }) =>
      url.pathname === `${setId}/virtualMachines`
        ? { body: JSON.stringify({ value: Array.from({ length: ofSet }, () => ({ properties: {} })) }) }
        : undefined
    start()
    await until(() => recorded.updates === 1)
    expect(recorded.addresses()).toEqual(['10.0.0.1:9100'])
    ofSet++
    await recorded.clock.advance(300_000)
    await until(() => failures() === 1)
    expect(recorded.lines.join('')).toContain('cannot list the machines of an Azure scale set: want at most 100000 machines, got more')
    expect(recorded.addresses()).toEqual(['10.0.0.1:9100'])
  })

  test('takes an address as long as one may be, and refuses a longer one', async () => {
    put([machine('vm', ['a'])], { a: nic('1'.repeat(64)) })
    start()
    await until(() => recorded.updates === 1)
    put([machine('vm', ['b'])], { b: nic('1'.repeat(65)) })
    await recorded.clock.advance(300_000)
    await until(() => failures() === 1)
    expect(recorded.lines.join('')).toContain('want privateIPAddress of at most 64 characters, got 65')
  })

  test('looks into one resource group only when it is told to', async () => {
    put([machine('vm', ['a'])], { a: nic('10.0.0.1') }, '/subscriptions/sub/resourceGroups/my%20group')
    start({ resourceGroup: 'my group' })
    await until(() => recorded.updates === 1)
    expect(recorded.addresses()).toEqual(['10.0.0.1:9100'])
  })

  test('leaves out machines without an interface, given back, or whose interface is gone', async () => {
    put([machine('none', []), machine('off', ['off']), machine('gone', ['gone']), machine('on', ['on'])], {
      off: nic('10.0.0.1', {}),
      on: nic('10.0.0.2'),
    })
    start()
    await until(() => recorded.updates === 1)
    expect(recorded.addresses()).toEqual(['10.0.0.2:9100'])
    expect(recorded.lines.filter((line) => line.includes('Network interface does not exist')).length).toBe(1)
  })

  test('asks for an interface again after ten refreshes, and each time while its machine is off', async () => {
    put([machine('on', ['on']), machine('off', ['off'])], { on: nic('10.0.0.1'), off: nic('10.0.0.2', {}) })
    start()
    await until(() => recorded.updates === 1)
    for (let updates = 2; updates <= 10; updates++) {
      await recorded.clock.advance(300_000)
      await until(() => recorded.updates === updates)
    }
    const count = (name: string): number => nicRequests().filter(({ pathname }) => pathname.endsWith(`/${name}`)).length
    expect([count('on'), count('off'), hits()]).toEqual([1, 10, 9])
    for (let updates = 11; updates <= 14; updates++) {
      await recorded.clock.advance(300_000)
      await until(() => recorded.updates === updates)
    }
    expect(count('on')).toBe(2)
  })

  test('waits when it is told that it asks too often', async () => {
    put([machine('vm', ['a'])], { a: nic('10.0.0.1') })
    let refusals = 0
    override = ({ url }) =>
      url.pathname.includes('networkInterfaces') && refusals++ === 0 ? { status: 429, headers: { 'retry-after': '13' } } : undefined
    start()
    await until(() => nicRequests().length === 1 && recorded.clock.timerCount === 1)
    await recorded.clock.advance(12_999)
    expect(nicRequests().length).toBe(1)
    await recorded.clock.advance(1)
    await until(() => recorded.updates === 1)
    expect(recorded.addresses()).toEqual(['10.0.0.1:9100'])
  })

  test('asks again with another token when the old one is refused', async () => {
    put([machine('vm', ['a'])], { a: nic('10.0.0.1') })
    start()
    await until(() => recorded.updates === 1)
    const used = String(azure.requests.at(-1)!.headers.authorization)
    override = ({ headers }) =>
      headers.authorization === used ? { status: 401, body: '{"error": {"code": "ExpiredAuthenticationToken"}}' } : undefined
    await recorded.clock.advance(300_000)
    await until(() => recorded.updates === 2)
    expect(tokenRequests()).toBe(2)
  })

  test.each<[string, StubAnswer, string]>([
    ['no JSON', { body: '<html>' }, 'cannot read Azure virtual machines: want JSON'],
    ['a list', { body: '[]' }, 'cannot read Azure virtual machines: want a JSON object'],
    ['an error', { status: 403, body: '{"error": {"code":\n"AuthorizationFailed"}}' }, 'could not get Azure virtual machines: HTTP 403'],
    [
      'a next page elsewhere',
      { body: '{"nextLink": "http://192.0.2.1/steal"}' },
      'cannot ask for a next page: want one of http://127.0.0.1',
    ],
    ['a bad next page', { body: '{"nextLink": "http://["}' }, 'cannot ask for a next page: want its address'],
    [
      'the same page for ever',
      { body: '{"nextLink": "/subscriptions/sub/providers/Microsoft.Compute/virtualMachines"}' },
      'names the same page again',
    ],
  ])('keeps what it knows when it gets %s', async (_name, answer, reason) => {
    put([machine('vm', ['a'])], { a: nic('10.0.0.1') })
    start()
    await until(() => recorded.updates === 1)
    override = ({ url }) => (url.pathname.endsWith('/virtualMachines') ? answer : undefined)
    await recorded.clock.advance(300_000)
    await until(() => failures() === 1)
    expect(recorded.lines.join('')).toContain(reason)
    expect(recorded.lines.join('')).not.toContain('hunter2')
    expect(recorded.addresses()).toEqual(['10.0.0.1:9100'])
  })

  test('fails as a whole for a machine without a private address or a strange interface', async () => {
    put([machine('vm', ['a'])], { a: nic(undefined) })
    start()
    await until(() => failures() === 1)
    expect(recorded.lines.join('')).toContain('unable to find a private IP for VM vm')
    put([{ ...machine('vm', []), properties: { networkProfile: { networkInterfaces: [{ id: '//192.0.2.1/x' }] } } }], {})
    await recorded.clock.advance(300_000)
    await until(() => failures() === 2)
    expect(recorded.lines.join('')).toContain('cannot use an Azure resource: want an id below /subscriptions')
  })
})

test('knows the clouds by name, whatever its case', () => {
  expect(findAzureEndpoints('azureChinaCloud').manager).toBe('https://management.chinacloudapi.cn')
  expect(findAzureEndpoints('AzureUSGovernment').authority).toBe('https://login.microsoftonline.us')
  expect(() => findAzureEndpoints('Mars')).toThrow('there is no cloud configuration matching the name "Mars"')
})

test('keeps as many interfaces as it may, and not one more', async () => {
  const interfaces = new AzureInterfaces({
    fetch: () => Promise.resolve({ properties: { primary: true } }),
    refreshIntervalMs: 60_000,
    now: () => 0,
    onHit: () => undefined,
  })
  const { signal } = new AbortController()
  for (let i = 0; i < interfacesMax; i++) await interfaces.find(String(i), false, signal)
  expect(interfaces.size).toBe(interfacesMax)
  await interfaces.find('more', false, signal)
  expect(interfaces.size).toBe(interfacesMax)
})

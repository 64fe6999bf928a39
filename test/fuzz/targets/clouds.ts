import { createAzureDiscoverer } from '@narthex/agent/discovery/azure'
import { createEc2Discoverer } from '@narthex/agent/discovery/ec2'
import { createGceDiscoverer } from '@narthex/agent/discovery/gce'
import type { DiscoveryContext } from '@narthex/agent/discovery/mechanisms'
import type { Discoverer } from '@narthex/agent/discovery/target-groups'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { Secret } from '@narthex/config/secret'
import { parseTokenJson, readExpiry, requireText } from '@narthex/http/token-request'
import { startStub, type StubServer } from '@narthex/http/testkit/stub-server'
import { decode, encode, encodeJson, ensure, type FuzzTarget } from '../fuzz-target.ts'
import { ensureGroups, RefreshedDiscovery, refreshedIntervalMs } from '../target-groups.ts'

/** Inputs of `npm test`: each is a few requests over loopback. */
const share = 80

/** A cloud that answers every question with the input, as a refusal if it speaks of an error, and gives tokens to everybody. */
class StubCloud {
  readonly #create: (context: DiscoveryContext, url: string) => Discoverer
  readonly #env: (address: string) => Readonly<Record<string, string>>
  #server: StubServer | undefined
  #discovery: RefreshedDiscovery | undefined
  #body: Uint8Array = new Uint8Array(0)

  constructor(
    create: (context: DiscoveryContext, url: string) => Discoverer,
    env: (address: string) => Readonly<Record<string, string>> = () => ({}),
  ) {
    this.#create = create
    this.#env = env
  }

  async read(bytes: Uint8Array): Promise<void> {
    this.#body = bytes
    this.#server ??= await startStub(({ url: { pathname } }) => {
      if (pathname.endsWith('/token')) return { body: '{"access_token":"t","expires_in":3600}' }
      return { status: this.#isRefused ? 400 : 200, body: this.#body }
    })
    const { url, requests } = this.#server
    this.#discovery ??= new RefreshedDiscovery((context) => this.#create(context, url), this.#env(url.slice('http://'.length)))
    requests.length = 0
    try {
      ensureGroups(await this.#discovery.refresh())
    } catch (error) {
      if (!this.#isRefused || !(error instanceof Error) || error.name !== 'Error') throw error
      ensure(/HTTP 400|answered 400/.test(error.message), `the refusal is worded ${error.message}`)
    }
  }

  get #isRefused(): boolean {
    return Buffer.from(this.#body).includes('rror')
  }

  close(): void {
    this.#discovery?.close()
    this.#server?.close()
  }
}

const machines = { refreshIntervalMs: refreshedIntervalMs, port: 9100 }
const ec2 = new StubCloud((context, endpoint) =>
  createEc2Discoverer(
    {
      mechanism: 'ec2',
      ...machines,
      region: 'eu-west-1',
      endpoint,
      accessKey: 'a',
      secretKey: new Secret('b'),
      filters: [],
      http: defaultHttpClientConfig,
    },
    context,
  ),
)
const gce = new StubCloud(
  (context, url) => createGceDiscoverer({ mechanism: 'gce', ...machines, project: 'p', zone: 'z', tagSeparator: ',' }, context, url),
  (address) => ({ HOME: '/nonexistent', GCE_METADATA_HOST: address }),
)
const azure = new StubCloud((context, url) =>
  createAzureDiscoverer(
    {
      mechanism: 'azure',
      ...machines,
      environment: 'AzurePublicCloud',
      subscriptionId: 's',
      tenantId: 't',
      clientId: 'c',
      clientSecret: new Secret('d'),
      authenticationMethod: 'OAuth',
      http: defaultHttpClientConfig,
    },
    context,
    { authority: url, manager: url, scope: 'fuzz' },
  ),
)

const instancesXml = `<?xml version="1.0"?><DescribeInstancesResponse xmlns="x"><reservationSet><item><ownerId>1</ownerId><instancesSet><item>
<instanceId>i</instanceId><instanceState><name>running</name></instanceState><privateIpAddress>10.0.0.5</privateIpAddress>
<placement><availabilityZone>a</availabilityZone></placement><vpcId>v</vpcId><subnetId>s</subnetId><ipAddress>1.2.3.4</ipAddress><dnsName>d</dnsName>
<networkInterfaceSet><item><subnetId>s</subnetId><attachment><deviceIndex>1</deviceIndex></attachment><ipv6AddressesSet>
<item><ipv6Address>2001:db8::2</ipv6Address><isPrimaryIpv6>true</isPrimaryIpv6></item></ipv6AddressesSet></item></networkInterfaceSet>
<tagSet><item><key>n:ä</key><value>x &amp; y</value></item></tagSet></item></instancesSet></item></reservationSet><nextToken></nextToken></DescribeInstancesResponse>`
const errorXml = '<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>slow down</Message></Error></Errors></Response>'

const gceInstance = {
  id: '1234567890123456789',
  name: 'vm',
  status: 'RUNNING',
  zone: 'https://www.googleapis.com/compute/v1/projects/p/zones/z',
  machineType: 'e2',
  networkInterfaces: [
    { networkIP: '10.0.0.2', name: 'nic0', network: 'n', subnetwork: 's', accessConfigs: [{ type: 'ONE_TO_ONE_NAT', natIP: '1.2.3.4' }] },
    { networkIP: '10.1.0.2', name: 'nic-1' },
  ],
  tags: { items: ['http', 'a b'] },
  metadata: { items: [{ key: 'ssh-keys', value: 'k' }] },
  labels: { team: 'x', 'a-b': '' },
}

const group = '/subscriptions/s/resourceGroups/g/providers'
const azureMachine = {
  id: `${group}/Microsoft.Compute/virtualMachines/vm`,
  name: 'vm',
  location: 'westeurope',
  tags: { 'a b': 'c' },
  properties: {
    osProfile: { computerName: 'vm' },
    storageProfile: { osDisk: { osType: 'Linux' } },
    hardwareProfile: { vmSize: 'B1' },
    networkProfile: { networkInterfaces: [{ id: `${group}/Microsoft.Network/networkInterfaces/n` }] },
  },
}
// One answer that is at once a page of machines, a page of scale sets and a network interface.
const azureAnswer = {
  value: [azureMachine],
  properties: {
    primary: true,
    ipConfigurations: [{ properties: { privateIPAddress: '10.0.0.4', publicIPAddress: { properties: { ipAddress: '1.2.3.4' } } } }],
  },
}

export const cloudTargets: readonly FuzzTarget[] = [
  {
    name: 'ec2',
    seeds: [encode(instancesXml), encode(errorXml)],
    refusals: ['Error', 'XmlError'],
    share,
    read: (bytes) => ec2.read(bytes),
    close: () => ec2.close(),
  },
  {
    name: 'gce',
    seeds: [
      encodeJson({ items: [gceInstance, { name: 'none' }], nextPageToken: '' }),
      encodeJson({}),
      encodeJson({ error: { code: 400, message: 'no' } }),
    ],
    refusals: ['Error'],
    isJson: true,
    share,
    read: (bytes) => gce.read(bytes),
    close: () => gce.close(),
  },
  {
    name: 'azure',
    seeds: [encodeJson(azureAnswer), encodeJson({ value: [], nextLink: '' }), encodeJson({ error: { code: 'x' } })],
    refusals: ['Error'],
    isJson: true,
    share,
    read: (bytes) => azure.read(bytes),
    close: () => azure.close(),
  },
  {
    name: 'token-answer',
    seeds: [
      encodeJson({ access_token: 't', expires_in: 3600, token_type: 'Bearer' }),
      encodeJson({ access_token: 't', expires_in: '86399', ext_expires_in: '1', more: { a: [] } }),
    ],
    refusals: ['Error'],
    isJson: true,
    read(bytes) {
      const fields = parseTokenJson(bytes, 'a token')
      ensure(requireText(fields, 'access_token', 'a token') !== '', 'the token is empty')
      const expiresMs = readExpiry(fields, 1_700_000_000_000)
      ensure(Number.isFinite(expiresMs) && expiresMs > 1_700_000_000_000, `a token ends at ${expiresMs} in ${decode(bytes).slice(0, 80)}`)
    },
  },
]

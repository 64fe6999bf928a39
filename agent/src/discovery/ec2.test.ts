import type { Ec2Discovery } from '@narthex/config/cloud-discovery-machines'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { Secret } from '@narthex/config/secret'
import { signRequest } from '@narthex/http/sigv4'
import type { StubAnswer } from '@narthex/http/testkit/stub-server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { machinesMax, pageBytesMax } from './cloud-requests.ts'
import { createEc2Discoverer } from './ec2.ts'
import { RecordedDiscovery } from './testkit/recorded-discovery.ts'
import { errorXml, fullInstance, startStubEc2, type StubEc2 } from './testkit/stub-ec2.ts'
import { until } from './testkit/stub-server.ts'

let ec2: StubEc2
let recorded: RecordedDiscovery

beforeEach(async () => {
  ec2 = await startStubEc2()
  recorded = new RecordedDiscovery(new FakeClock(), { AWS_ENDPOINT_URL_STS: ec2.url, HOME: '/nonexistent' })
})

afterEach(() => {
  recorded.stop()
  ec2.close()
})

function start(more: Partial<Ec2Discovery> = {}): void {
  const config: Ec2Discovery = {
    mechanism: 'ec2',
    endpoint: ec2.url,
    region: 'eu-west-1',
    accessKey: 'KEY',
    secretKey: new Secret('hunter2'),
    port: 9100,
    refreshIntervalMs: 60_000,
    filters: [],
    http: defaultHttpClientConfig,
    ...more,
  }
  recorded.start(createEc2Discoverer(config, recorded.context))
}

const failures = (): number => recorded.metric('prometheus_sd_refresh_failures_total{mechanism="ec2",config="j"}')
const actions = (): (string | null)[] => ec2.requests.map(({ body }) => new URLSearchParams(body).get('Action'))

test('gives every label of a machine', async () => {
  ec2.instances = [fullInstance]
  start()
  await until(() => recorded.updates === 1)
  expect(recorded.targets()).toEqual([
    {
      __address__: '10.0.0.5:9100',
      __meta_ec2_ami: 'ami-1',
      __meta_ec2_architecture: 'x86_64',
      __meta_ec2_availability_zone: 'eu-west-1a',
      __meta_ec2_availability_zone_id: 'euw1-az2',
      __meta_ec2_instance_id: 'i-full',
      __meta_ec2_instance_lifecycle: 'spot',
      __meta_ec2_instance_state: 'running',
      __meta_ec2_instance_type: 't3.micro',
      __meta_ec2_ipv6_addresses: ',2001:db8::1,2001:db8::2,',
      __meta_ec2_owner_id: '123456789012',
      __meta_ec2_platform: 'windows',
      __meta_ec2_primary_ipv6_addresses: ',,2001:db8::2,',
      __meta_ec2_primary_subnet_id: 'subnet-a',
      __meta_ec2_private_dns_name: 'ip-10-0-0-5.internal',
      __meta_ec2_private_ip: '10.0.0.5',
      __meta_ec2_public_dns_name: 'ec2-1-2-3-4.amazonaws.com',
      __meta_ec2_public_ip: '1.2.3.4',
      __meta_ec2_region: 'eu-west-1',
      __meta_ec2_subnet_id: ',subnet-a,subnet-b,',
      __meta_ec2_tag_Name: 'web & db',
      __meta_ec2_tag_team_n_me: 'x',
      __meta_ec2_vpc_id: 'vpc-1',
    },
  ])
})

test('leaves out machines without a private address, and labels without a value', async () => {
  ec2.instances = [{ id: 'i-none' }, { id: 'i-plain', privateIp: '10.0.0.6' }]
  start()
  await until(() => recorded.updates === 1)
  expect(recorded.addresses()).toEqual(['10.0.0.6:9100'])
  expect(Object.keys(recorded.targets()[0]!)).not.toContain('__meta_ec2_subnet_id')
})

test('reads all pages, with the filters in each', async () => {
  ec2.instances = Array.from({ length: 7 }, (_, i) => ({ id: `i-${i}`, privateIp: `10.0.0.${i}` }))
  ec2.pageSize = 3
  start({
    filters: [
      { name: 'tag:env', values: ['prod', 'test'] },
      { name: 'instance-state-name', values: ['running'] },
    ],
  })
  await until(() => recorded.updates === 1)
  expect(recorded.addresses().length).toBe(7)
  const forms = ec2.requests.slice(1).map(({ body }) => Object.fromEntries(new URLSearchParams(body)))
  expect(forms.map((form) => form['NextToken'])).toEqual([undefined, 'page-3', 'page-6'])
  for (const form of forms) {
    expect(form).toMatchObject({
      'Filter.1.Name': 'tag:env',
      'Filter.1.Value.1': 'prod',
      'Filter.1.Value.2': 'test',
      'Filter.2.Name': 'instance-state-name',
      'Filter.2.Value.1': 'running',
    })
  }
})

test('ends when the service names the same page for ever', async () => {
  const page = '<DescribeInstancesResponse><reservationSet/><nextToken>again</nextToken></DescribeInstancesResponse>'
  ec2.override = (form) => (form.get('Action') === 'DescribeInstances' ? { body: page } : undefined)
  start()
  await until(() => failures() === 1)
  expect(recorded.lines.join('')).toContain('cannot list EC2 instances: the service names the same page again')
})

test('takes as many machines over all pages as it may, and refuses one more', async () => {
  const page = (count: number, next: string): StubAnswer => ({
    body: `<DescribeInstancesResponse><reservationSet>${'<item><instancesSet><item/><item/></instancesSet></item>'.repeat(count / 2)}</reservationSet>${next}</DescribeInstancesResponse>`,
  })
  let last = 2
  ec2.override = (form) => {
    if (form.get('Action') !== 'DescribeInstances') return undefined
    return form.get('NextToken') === null ? page(machinesMax - 2, '<nextToken>2</nextToken>') : page(last, '')
  }
  start()
  await until(() => recorded.updates === 1)
  last = 4
  await recorded.clock.advance(60_000)
  await until(() => failures() === 1)
  expect(recorded.lines.join('')).toContain('cannot list EC2 instances: want at most 100000 machines, got more')
})

test('signs each request with its body', async () => {
  start()
  await until(() => recorded.updates === 1)
  const { headers, body } = ec2.requests[1]!
  const request = { method: 'POST', url: new URL(ec2.url), headers: { 'content-type': String(headers['content-type']) }, body }
  const credentials = { accessKeyId: 'KEY', secretAccessKey: new Secret('hunter2') }
  const scope = { region: 'eu-west-1', service: 'ec2', nowMs: recorded.clock.now() }
  expect(headers.authorization).toBe(signRequest(request, credentials, scope)['authorization'])
})

test('asks as the role it is told to assume', async () => {
  const expiration = new Date(recorded.clock.now() + 3_600_000).toISOString()
  const keys = '<AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>session</SessionToken>'
  ec2.override = (form) =>
    form.get('Action') === 'AssumeRole'
      ? {
          body: `<AssumeRoleResponse><AssumeRoleResult><Credentials>${keys}<Expiration>${expiration}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
        }
      : undefined
  start({ roleArn: 'arn:a' })
  await until(() => recorded.updates === 1)
  expect(actions()).toEqual(['AssumeRole', 'DescribeAvailabilityZones', 'DescribeInstances'])
  expect(ec2.requests.at(-1)!.headers).toMatchObject({ 'x-amz-security-token': 'session' })
  expect(ec2.requests.at(-1)!.headers.authorization).toContain('Credential=ROLE/')
})

test('asks for the zones once, and goes on without their ids when it gets none', async () => {
  ec2.instances = [fullInstance]
  ec2.override = (form) =>
    form.get('Action') === 'DescribeAvailabilityZones' ? { status: 403, body: errorXml('UnauthorizedOperation', 'no') } : undefined
  start()
  await until(() => recorded.updates === 1)
  expect(recorded.targets()[0]).not.toHaveProperty('__meta_ec2_availability_zone_id')
  ec2.override = () => undefined
  for (const updates of [2, 3]) {
    await recorded.clock.advance(60_000)
    await until(() => recorded.updates === updates)
  }
  expect(recorded.targets()[0]!['__meta_ec2_availability_zone_id']).toBe('euw1-az2')
  expect(actions().slice(-3)).toEqual(['DescribeAvailabilityZones', 'DescribeInstances', 'DescribeInstances'])
})

test('waits 1, 2 and 4 seconds when it is told that it asks too often, then keeps what it knows', async () => {
  ec2.instances = [fullInstance]
  start()
  await until(() => recorded.updates === 1)
  const before = ec2.requests.length
  ec2.override = () => ({ status: 503, body: errorXml('RequestLimitExceeded', 'Request limit exceeded.') })
  await recorded.clock.advance(60_000)
  for (const [i, delayMs] of [1_000, 2_000, 4_000].entries()) {
    await until(() => ec2.requests.length === before + i + 1 && recorded.clock.timerCount === 1)
    await recorded.clock.advance(delayMs - 1)
    expect(ec2.requests.length).toBe(before + i + 1)
    await recorded.clock.advance(1)
  }
  await until(() => failures() === 1)
  expect(ec2.requests.length).toBe(before + 4)
  expect(recorded.lines.join('')).toContain('DescribeInstances answered 503: RequestLimitExceeded: Request limit exceeded.')
  expect(recorded.addresses()).toEqual(['10.0.0.5:9100'])
})

test('asks again at once, and once only, when its credentials have ended', async () => {
  ec2.instances = [fullInstance]
  ec2.override = (form) =>
    form.get('Action') === 'DescribeInstances' && actions().filter((action) => action === 'DescribeInstances').length === 1
      ? { status: 400, body: errorXml('RequestExpired', 'Request has expired.') }
      : undefined
  start()
  await until(() => recorded.updates === 1)
  expect(actions()).toEqual(['DescribeAvailabilityZones', 'DescribeInstances', 'DescribeInstances'])
  ec2.override = () => ({ status: 401, body: errorXml('AuthFailure', 'AWS was not able to validate the provided access credentials') })
  await recorded.clock.advance(60_000)
  await until(() => failures() === 1)
  expect(actions().length).toBe(5)
  expect(recorded.lines.join('')).toContain('DescribeInstances answered 401: AuthFailure: AWS was not able to validate')
  expect(recorded.lines.join('')).not.toContain('hunter2')
})

test.each<[string, StubAnswer, string]>([
  ['bad XML', { body: '<DescribeInstancesResponse>' }, 'cannot read XML at offset 27'],
  ['another answer', { body: '<html/>' }, `cannot read EC2's answer: want DescribeInstancesResponse, got html`],
  ['an error that is no XML', { status: 400, body: 'oops\nno' }, 'DescribeInstances answered 400: oops no'],
  ['too many bytes', { headers: { 'content-length': String(pageBytesMax + 1) }, body: '<' }, `body is larger than ${pageBytesMax} bytes`],
])('keeps what it knows when it gets %s', async (_name, answer, reason) => {
  ec2.instances = [fullInstance]
  start()
  await until(() => recorded.updates === 1)
  ec2.override = (form) => (form.get('Action') === 'DescribeInstances' ? answer : undefined)
  await recorded.clock.advance(60_000)
  await until(() => failures() === 1)
  expect(recorded.lines.join('')).toContain(reason)
  expect(recorded.addresses()).toEqual(['10.0.0.5:9100'])
})

test('drops machines that are gone', async () => {
  ec2.instances = [fullInstance, { id: 'i-2', privateIp: '10.0.0.6' }]
  start()
  await until(() => recorded.updates === 1)
  ec2.instances = [fullInstance]
  await recorded.clock.advance(60_000)
  await until(() => recorded.updates === 2)
  expect(recorded.addresses()).toEqual(['10.0.0.5:9100'])
})

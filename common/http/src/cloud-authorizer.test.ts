import { Secret } from '@narthex/config/secret'
import { afterEach, expect, it } from 'vitest'
import { createCloudAuthorizer, type CloudAuthorizer } from './cloud-authorizer.ts'
import { signRequest } from './sigv4.ts'
import { startStub, type StubServer } from './testkit/stub-server.ts'

const open: (CloudAuthorizer | StubServer)[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

const request = {
  method: 'POST',
  url: new URL('https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write'),
  headers: { 'Content-Type': 'application/x-protobuf', 'User-Agent': 'Narthex', 'X-Scope': 'a' },
  body: Buffer.from('body'),
}
const keys = { accessKey: 'K', secretKey: new Secret('S'), useFipsStsEndpoint: false }
const nowMs = 1_700_000_000_000

function keep(authorizer: CloudAuthorizer): CloudAuthorizer {
  open.push(authorizer)
  return authorizer
}

it('signs for Amazon Managed Prometheus, leaving out what may change on the way', async () => {
  const authorizer = keep(createCloudAuthorizer({ kind: 'sigv4', config: { ...keys, region: 'eu-west-1' } }, { env: {}, now: () => nowMs }))
  const credentials = { accessKeyId: 'K', secretAccessKey: new Secret('S') }
  const headers = { 'content-type': 'application/x-protobuf' }
  expect(await authorizer.authorize(request)).toEqual(
    signRequest({ ...request, headers }, credentials, { region: 'eu-west-1', service: 'aps', nowMs }),
  )
})

it('signs for the service it is told', async () => {
  const config = { ...keys, region: 'r', serviceName: 'other' }
  const { authorization } = await keep(createCloudAuthorizer({ kind: 'sigv4', config }, { env: {} })).authorize(request)
  expect(authorization).toMatch(/\/r\/other\/aws4_request/)
})

it('says so when no region is known', async () => {
  const authorizer = keep(createCloudAuthorizer({ kind: 'sigv4', config: keys }, { env: { HOME: '/nonexistent' } }))
  await expect(authorizer.authorize(request)).rejects.toThrow('region not configured in sigv4 or in default credentials chain')
})

it('bears a token of Azure for the cloud`s monitor, or the scope it is told', async () => {
  const stub = await startStub(() => ({ body: '{"access_token": "t", "expires_in": 3600}' }))
  open.push(stub)
  const env = { AZURE_POD_IDENTITY_AUTHORITY_HOST: stub.url }
  const identity = { kind: 'managed_identity' } as const
  const ask = (config: { cloud: 'AzurePublic' | 'AzureChina' | 'AzureGovernment'; scope?: string }): Promise<Record<string, string>> =>
    keep(createCloudAuthorizer({ kind: 'azuread', config: { ...config, identity } }, { env })).authorize(request)
  expect(await ask({ cloud: 'AzurePublic' })).toEqual({ authorization: 'Bearer t' })
  await ask({ cloud: 'AzureChina' })
  await ask({ cloud: 'AzureGovernment' })
  await ask({ cloud: 'AzurePublic', scope: 'https://x/.default' })
  expect(stub.requests.map(({ url }) => url.searchParams.get('resource'))).toEqual([
    'https://monitor.azure.com/',
    'https://monitor.azure.cn/',
    'https://monitor.azure.us/',
    'https://x',
  ])
})

it('bears a token of Google that may write metrics', async () => {
  const stub = await startStub(() => ({ body: '{"access_token": "g", "expires_in": 3600}' }))
  open.push(stub)
  const env = { HOME: '/nonexistent', GCE_METADATA_HOST: stub.url.slice('http://'.length) }
  const authorizer = keep(createCloudAuthorizer({ kind: 'google_iam', config: {} }, { env }))
  expect(await authorizer.authorize(request)).toEqual({ authorization: 'Bearer g' })
  expect(stub.requests[0]!.url.searchParams.get('scopes')).toBe('https://www.googleapis.com/auth/monitoring.write')
})

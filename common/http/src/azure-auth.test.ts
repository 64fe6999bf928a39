import type { AzureIdentity } from '@narthex/config/cloud-auth-config'
import { Secret } from '@narthex/config/secret'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AzureTokens } from './azure-auth.ts'
import type { Environment } from './sigv4-profiles.ts'
import { startStub, type StubAnswer, type StubServer } from './testkit/stub-server.ts'

const scope = 'https://monitor.azure.com//.default'

let directory: string
let azure: StubServer
let now: number
let answer: StubAnswer | undefined
const open: AzureTokens[] = []

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-azure-'))
  now = Date.parse('2026-01-01T00:00:00Z')
  answer = undefined
  azure = await startStub(() => {
    // Machines answer with numbers as texts.
    return answer ?? { body: JSON.stringify({ access_token: `token-${azure.requests.length}`, expires_in: '3600', token_type: 'Bearer' }) }
  })
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((tokens) => tokens.close()))
  azure.close()
  rmSync(directory, { recursive: true })
})

function tokensOf(identity: AzureIdentity, env: Environment = {}): AzureTokens {
  const options = { identity, scope, authority: azure.url, now: () => now, env: { AZURE_POD_IDENTITY_AUTHORITY_HOST: azure.url, ...env } }
  const tokens = new AzureTokens(options)
  open.push(tokens)
  return tokens
}

function lastForm(): unknown {
  const { url, body } = azure.requests.at(-1)!
  return [url.pathname, Object.fromEntries(new URLSearchParams(body))]
}

const bySecret: AzureIdentity = { kind: 'oauth', tenantId: 'ten', clientId: 'cli', clientSecret: new Secret('hunter2') }
const secretForm = ['/ten/oauth2/v2.0/token', { grant_type: 'client_credentials', client_id: 'cli', client_secret: 'hunter2', scope }]

function assertionForm(assertion: string): unknown {
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  const form = { client_id: 'cli', client_assertion: assertion, client_assertion_type: type, grant_type: 'client_credentials', scope }
  return ['/ten/oauth2/v2.0/token', form]
}

describe('AzureTokens', () => {
  it('asks Entra ID with a client secret', async () => {
    expect(await tokensOf(bySecret).token()).toBe('token-1')
    expect(lastForm()).toEqual(secretForm)
  })

  it('asks Entra ID with the token of a pod, which it reads each time', async () => {
    const tokenFilePath = join(directory, 'token')
    writeFileSync(tokenFilePath, 'first\n')
    const tokens = tokensOf({ kind: 'workload_identity', tenantId: 'ten', clientId: 'cli', tokenFilePath })
    await tokens.token()
    expect(lastForm()).toEqual(assertionForm('first'))
    writeFileSync(tokenFilePath, 'second\n')
    now += 3_600_000
    await tokens.token()
    expect(lastForm()).toEqual(assertionForm('second'))
  })

  it('asks the machine, for its own identity or one of its user', async () => {
    await tokensOf({ kind: 'managed_identity' }).token()
    await tokensOf({ kind: 'managed_identity', clientId: 'cli' }).token()
    const [own, assigned] = azure.requests as [(typeof azure.requests)[0], (typeof azure.requests)[0]]
    expect([own.url.pathname, own.headers['metadata']]).toEqual(['/metadata/identity/oauth2/token', 'true'])
    expect(Object.fromEntries(own.url.searchParams)).toEqual({ 'api-version': '2018-02-01', resource: 'https://monitor.azure.com/' })
    expect(assigned.url.searchParams.get('client_id')).toBe('cli')
  })

  it('asks the endpoint of an app service', async () => {
    const expiresOn = now / 1000 + 600
    answer = { body: JSON.stringify({ access_token: 'app', expires_on: String(expiresOn) }) }
    const tokens = tokensOf({ kind: 'managed_identity' }, { IDENTITY_ENDPOINT: `${azure.url}/msi/token`, IDENTITY_HEADER: 'secret' })
    expect(await tokens.token()).toBe('app')
    expect(azure.requests[0]!.headers['x-identity-header']).toBe('secret')
    now += 299_999
    await tokens.token()
    expect(azure.requests.length).toBe(1)
    now += 1
    await tokens.token()
    expect(azure.requests.length).toBe(2)
  })

  it('takes with sdk what the environment offers', async () => {
    const ids = { AZURE_TENANT_ID: 'ten', AZURE_CLIENT_ID: 'cli' }
    const tokenFile = join(directory, 'token')
    writeFileSync(tokenFile, 'pod')
    const sdk: AzureIdentity = { kind: 'sdk' }
    await tokensOf(sdk, { ...ids, AZURE_CLIENT_SECRET: 'hunter2', AZURE_FEDERATED_TOKEN_FILE: tokenFile }).token()
    expect(lastForm()).toEqual(secretForm)
    await tokensOf(sdk, { ...ids, AZURE_FEDERATED_TOKEN_FILE: tokenFile }).token()
    expect(lastForm()).toEqual(assertionForm('pod'))
    await tokensOf(sdk, {}).token()
    expect(azure.requests.at(-1)!.url.pathname).toBe('/metadata/identity/oauth2/token')
    await tokensOf({ kind: 'sdk', tenantId: 'other' }, { ...ids, AZURE_CLIENT_SECRET: 's' }).token()
    expect(azure.requests.at(-1)!.url.pathname).toBe('/other/oauth2/v2.0/token')
  })

  it('prefers the authority of the environment', async () => {
    const tokens = new AzureTokens({
      identity: bySecret,
      scope,
      authority: 'https://192.0.2.1',
      env: { AZURE_AUTHORITY_HOST: `${azure.url}/` },
    })
    open.push(tokens)
    expect(await tokens.token()).toBe('token-1')
  })

  it.each<[string, StubAnswer, string]>([
    ['an error', { status: 401, body: '{"error":\n"invalid_client"}' }, 'token answered 401: {"error": "invalid_client"}'],
    ['no JSON', { body: '{"access_token": "hunter2' }, 'want JSON'],
    ['a list', { body: '[]' }, 'want a text access_token'],
    ['no object', { body: '7' }, 'want a JSON object'],
  ])('fails in one line when the answer is %s', async (_name, given, reason) => {
    answer = given
    const error = await tokensOf(bySecret).token().catch(String)
    expect(error).toContain(reason)
    expect(error).not.toContain('hunter2')
  })
})

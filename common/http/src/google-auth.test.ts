import { generateKeyPairSync, verify } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GoogleTokens } from './google-auth.ts'
import type { Environment } from './sigv4-profiles.ts'
import { startStub, type StubAnswer, type StubServer } from './testkit/stub-server.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const scope = 'https://www.googleapis.com/auth/monitoring.write'

let directory: string
let google: StubServer
let now: number
let answer: StubAnswer | undefined
const open: GoogleTokens[] = []

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-google-'))
  now = Date.parse('2026-01-01T00:00:00Z')
  answer = undefined
  google = await startStub(({ url, headers }) => {
    if (answer !== undefined) return answer
    if (url.pathname.startsWith('/computeMetadata/') && headers['metadata-flavor'] !== 'Google') return { status: 403 }
    return { body: JSON.stringify({ access_token: `token-${google.requests.length}`, expires_in: 3600, token_type: 'Bearer' }) }
  })
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((tokens) => tokens.close()))
  google.close()
  rmSync(directory, { recursive: true })
})

function tokensOf(options: { credentialsFile?: string; env?: Environment } = {}): GoogleTokens {
  const env = { HOME: directory, GCE_METADATA_HOST: google.url.slice('http://'.length), ...options.env }
  const tokens = new GoogleTokens({ ...options, env, scope, now: () => now })
  open.push(tokens)
  return tokens
}

function writeKey(name: string, more: object = {}): string {
  const path = join(directory, name)
  const key = { type: 'service_account', client_email: 'a@b', private_key_id: 'kid', private_key: pem, token_uri: `${google.url}/token` }
  writeFileSync(path, JSON.stringify({ ...key, ...more }))
  return path
}

const decodePart = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))

describe('GoogleTokens', () => {
  it('exchanges a signed assertion of the key file for a token', async () => {
    const credentialsFile = writeKey('key.json')
    expect(await tokensOf({ credentialsFile }).token()).toBe('token-1')
    const form = new URLSearchParams(google.requests[0]!.body)
    expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer')
    const [header, claims, signature] = form.get('assertion')!.split('.') as [string, string, string]
    expect(decodePart(header)).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'kid' })
    expect(decodePart(claims)).toEqual({ iss: 'a@b', scope, aud: `${google.url}/token`, iat: now / 1000, exp: now / 1000 + 3600 })
    expect(verify('RSA-SHA256', Buffer.from(`${header}.${claims}`), publicKey, Buffer.from(signature, 'base64url'))).toBe(true)
  })

  it('keeps a token, and asks again five minutes before its end', async () => {
    const tokens = tokensOf({ credentialsFile: writeKey('key.json') })
    await Promise.all([tokens.token(), tokens.token()])
    now += 3_299_999
    expect(await tokens.token()).toBe('token-1')
    now += 1
    expect(await tokens.token()).toBe('token-2')
  })

  it('takes another token when the key file changed', async () => {
    const credentialsFile = writeKey('key.json')
    const tokens = tokensOf({ credentialsFile })
    await tokens.token()
    writeKey('key.json', { client_email: 'another@b' })
    now += 1_000
    expect(await tokens.token()).toBe('token-2')
  })

  it('finds the key file of the environment, then the one of gcloud, then the metadata server', async () => {
    const env = { GOOGLE_APPLICATION_CREDENTIALS: writeKey('env.json', { client_email: 'env@b' }) }
    mkdirSync(join(directory, '.config/gcloud'), { recursive: true })
    const user = { type: 'authorized_user', client_id: 'i', client_secret: 's', refresh_token: 'r', token_uri: `${google.url}/user` }
    writeFileSync(join(directory, '.config/gcloud/application_default_credentials.json'), JSON.stringify(user))
    await tokensOf({ env }).token()
    expect(new URLSearchParams(google.requests.at(-1)!.body).get('assertion')).not.toBeNull()
    await tokensOf().token()
    expect(Object.fromEntries(new URLSearchParams(google.requests.at(-1)!.body))).toEqual({
      grant_type: 'refresh_token',
      client_id: 'i',
      client_secret: 's',
      refresh_token: 'r',
    })
    await tokensOf({ env: { HOME: join(directory, 'nobody') } }).token()
    const { pathname, searchParams } = google.requests.at(-1)!.url
    expect([pathname, searchParams.get('scopes')]).toEqual(['/computeMetadata/v1/instance/service-accounts/default/token', scope])
  })

  it.each<[string, StubAnswer, string]>([
    ['an error', { status: 400, body: '{"error": "invalid_grant"}' }, /token answered 400: {"error": "invalid_grant"}/.source],
    ['no JSON', { body: 'hunter2' }, 'want JSON, got 7 other bytes'],
    ['no token', { body: '{}' }, 'want a text access_token'],
    ['too much', { body: Buffer.alloc(2 ** 20 + 1) }, 'body is larger than'],
  ])('fails in one line when the answer is %s', async (_name, given, reason) => {
    answer = given
    const error = await tokensOf({ credentialsFile: writeKey('key.json') })
      .token()
      .catch(String)
    expect(error).toMatch(reason)
    expect(error).not.toContain('hunter2')
  })

  it.each([
    [{ type: 'external_account' }, 'type "external_account" is not built yet'],
    [{ private_key: 'hunter2' }, 'want a private key in PEM'],
    [{ client_email: '' }, 'want a text client_email'],
  ])('names what is wrong with a key file of %j, without the key', async (more, reason) => {
    const error = await tokensOf({ credentialsFile: writeKey('key.json', more) })
      .token()
      .catch(String)
    expect(error).toContain(reason)
    expect(error).not.toMatch(/hunter2|PRIVATE KEY/)
  })

  it('names the file that is not there', async () => {
    await expect(tokensOf({ credentialsFile: join(directory, 'none.json') }).token()).rejects.toThrow('none.json')
  })
})

import { Secret } from '@narthex/config/secret'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AwsAccount, type AwsAccess } from './sigv4-credentials.ts'
import { parseProfiles, type Environment } from './sigv4-profiles.ts'
import { startStub, type StubAnswer, type StubServer } from './testkit/stub-server.ts'

let directory: string
let aws: StubServer
let now: number
let expiresMs: number
let override: (path: string, body: string) => StubAnswer | undefined
const accounts: AwsAccount[] = []

const iso = (ms: number): string => new Date(ms).toISOString()

function stsAnswer(action: string, key: string): StubAnswer {
  return {
    body:
      `<?xml version="1.0"?><${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result><Credentials>` +
      `<AccessKeyId>${key}</AccessKeyId><SecretAccessKey>s-${key}</SecretAccessKey><SessionToken>t-${key}</SessionToken>` +
      `<Expiration>${iso(expiresMs)}</Expiration></Credentials></${action}Result></${action}Response>`,
  }
}

const json = (key: string, more: object = {}): StubAnswer => ({
  body: JSON.stringify({ AccessKeyId: key, SecretAccessKey: `s-${key}`, Token: `t-${key}`, Expiration: iso(expiresMs), ...more }),
})

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-aws-'))
  now = Date.parse('2026-01-01T00:00:00Z')
  expiresMs = now + 3_600_000
  override = () => undefined
  aws = await startStub(({ method, url, headers, body }) => {
    const other = override(url.pathname, body)
    if (other !== undefined) return other
    const form = new URLSearchParams(body)
    const action = form.get('Action')
    if (action !== null) return stsAnswer(action, `${action}/${form.get('RoleArn')}`)
    if (url.pathname === '/container') return headers.authorization === 'secret-token' ? json('CONTAINER') : { status: 401 }
    if (url.pathname === '/latest/api/token') return method === 'PUT' ? { body: 'session' } : { status: 405 }
    if (headers['x-aws-ec2-metadata-token'] !== 'session') return { status: 401 }
    if (url.pathname === '/latest/meta-data/iam/security-credentials/') return { body: 'my-role\n' }
    if (url.pathname === '/latest/meta-data/iam/security-credentials/my-role') return json('MACHINE', { Code: 'Success' })
    if (url.pathname === '/latest/dynamic/instance-identity/document') return { body: '{"region": "eu-own-1"}' }
    return undefined
  })
})

afterEach(async () => {
  await Promise.all(accounts.splice(0).map((account) => account.close()))
  aws.close()
  rmSync(directory, { recursive: true })
})

function open(access: AwsAccess, env: Environment = {}): AwsAccount {
  const base = { HOME: directory, AWS_ENDPOINT_URL_STS: aws.url, AWS_EC2_METADATA_SERVICE_ENDPOINT: aws.url }
  const account = new AwsAccount(access, { env: { ...base, ...env }, now: () => now })
  accounts.push(account)
  return account
}

async function keyOf(access: AwsAccess, env: Environment = {}): Promise<string> {
  const { accessKeyId, secretAccessKey, sessionToken } = await open(access, env).credentials()
  expect(secretAccessKey.reveal()).toBe(`s-${accessKeyId}`)
  if (sessionToken !== undefined) expect(sessionToken.reveal()).toBe(`t-${accessKeyId}`)
  return accessKeyId
}

function write(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

const keys = { accessKey: 'CONFIG', secretKey: new Secret('s-CONFIG') }
const envKeys = { AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: 's-ENV' }
const profile = (name: string, key: string): string => `[${name}]\naws_access_key_id = ${key}\naws_secret_access_key = s-${key}\n`

describe('credentials of an AWS account', () => {
  it('come from the first place that has some', async () => {
    const file = write('credentials', profile('default', 'DEFAULT') + profile('mine', 'MINE'))
    const shared = { AWS_SHARED_CREDENTIALS_FILE: file }
    const container = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${aws.url}/container`, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'secret-token' }
    const webIdentity = { AWS_WEB_IDENTITY_TOKEN_FILE: write('token', 'jwt\n'), AWS_ROLE_ARN: 'arn:web' }
    const all = { ...envKeys, ...webIdentity, ...shared, ...container }
    expect(await keyOf({ ...keys, profile: 'mine' }, all)).toBe('CONFIG')
    expect(await keyOf({ profile: 'mine' }, all)).toBe('MINE')
    expect(await keyOf({}, all)).toBe('ENV')
    expect(await keyOf({}, { ...webIdentity, ...shared, ...container })).toBe('AssumeRoleWithWebIdentity/arn:web')
    expect(await keyOf({}, { ...shared, ...container })).toBe('DEFAULT')
    expect(await keyOf({}, { ...shared, ...container, AWS_PROFILE: 'mine' })).toBe('MINE')
    expect(await keyOf({}, container)).toBe('CONTAINER')
    expect(await keyOf({})).toBe('MACHINE')
  })

  it('are those of the role that is assumed with them', async () => {
    expect(await keyOf({ ...keys, roleArn: 'arn:a', externalId: 'ext', region: 'eu-west-1' })).toBe('AssumeRole/arn:a')
    const { headers, body } = aws.requests.at(-1)!
    expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
      Action: 'AssumeRole',
      Version: '2011-06-15',
      RoleArn: 'arn:a',
      RoleSessionName: `narthex-${now}`,
      ExternalId: 'ext',
    })
    expect(headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=CONFIG\/20260101\/eu-west-1\/sts\/aws4_request, SignedHeaders=content-type;host;x-amz-date,/,
    )
  })

  it('send the token of a web identity without a signature', async () => {
    const env = { AWS_WEB_IDENTITY_TOKEN_FILE: write('token', 'jwt\n'), AWS_ROLE_ARN: 'arn:web', AWS_ROLE_SESSION_NAME: 'pod' }
    await keyOf({}, env)
    const { headers, body } = aws.requests.at(-1)!
    expect(Object.fromEntries(new URLSearchParams(body))).toMatchObject({ WebIdentityToken: 'jwt', RoleSessionName: 'pod' })
    expect(headers.authorization).toBeUndefined()
  })

  it('follow a profile to its role and its source profile', async () => {
    const env = {
      AWS_CONFIG_FILE: write('config', '[profile top]\nrole_arn = arn:top\nsource_profile = base\nexternal_id = e\nregion = ap-1\n'),
      AWS_SHARED_CREDENTIALS_FILE: write('credentials', profile('base', 'BASE')),
    }
    expect(await keyOf({ profile: 'top' }, env)).toBe('AssumeRole/arn:top')
    expect(aws.requests.at(-1)!.headers.authorization).toContain('Credential=BASE/20260101/ap-1/sts/')
    expect(await open({ profile: 'top' }, env).region()).toBe('ap-1')
  })

  it('say in one line which profile is missing or not built', async () => {
    const env = {
      AWS_CONFIG_FILE: write(
        'config',
        '[profile p]\ncredential_process = /bin/x\n[profile a]\nsource_profile = b\n[profile b]\nsource_profile = a\n',
      ),
    }
    await expect(keyOf({ profile: 'none' }, env)).rejects.toThrow('failed to get shared config profile, none')
    await expect(keyOf({ profile: 'p' }, env)).rejects.toThrow('cannot use AWS profile p: credential_process is not built yet')
    await expect(keyOf({ profile: 'a' }, env)).rejects.toThrow('more than 5 source profiles')
  })

  it('take the token of a pod from its file', async () => {
    const env = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${aws.url}/container`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: write('pod-token', 'secret-token\n'),
    }
    expect(await keyOf({}, env)).toBe('CONTAINER')
  })

  it('are not sent for over plain HTTP to a stranger', async () => {
    await expect(keyOf({}, { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://192.0.2.1/x' })).rejects.toThrow(
      'want https or a local address in AWS_CONTAINER_CREDENTIALS_FULL_URI, got 192.0.2.1',
    )
  })

  it('are fetched once, and again five minutes before they end', async () => {
    const account = open({})
    await Promise.all([account.credentials(), account.credentials()])
    const asked = aws.requests.length
    now += 3_299_999
    await account.credentials()
    expect(aws.requests.length).toBe(asked)
    now += 1
    expiresMs = now + 3_600_000
    await account.credentials()
    expect(aws.requests.length).toBe(2 * asked)
  })

  it('are fetched again when AWS refused them', async () => {
    const account = open({})
    await account.credentials()
    const asked = aws.requests.length
    now += 30_000
    account.forget()
    await account.credentials()
    expect(aws.requests.length).toBe(2 * asked)
  })

  it('follow a credentials file that changed', async () => {
    const file = write('credentials', profile('default', 'OLD'))
    const account = open({}, { AWS_SHARED_CREDENTIALS_FILE: file })
    expect((await account.credentials()).accessKeyId).toBe('OLD')
    write('credentials', profile('default', 'NEWER'))
    now += 60_000
    expect((await account.credentials()).accessKeyId).toBe('NEWER')
  })

  it.each<[string, StubAnswer, string]>([
    [
      'an error',
      { status: 403, body: '<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>' },
      'answered 403: <ErrorResponse>',
    ],
    ['bad XML', { body: '<a>' }, 'cannot read XML at offset 3'],
    ['no keys', { body: '<AssumeRoleResponse/>' }, 'cannot read the answer to AssumeRole: want Credentials'],
    ['too much', { body: Buffer.alloc(2 ** 20 + 1, 32) }, 'body is larger than 1048576 bytes'],
  ])('fail in one line when STS answers %s', async (_name, answer, reason) => {
    override = (_path, body) => (body.includes('AssumeRole') ? answer : undefined)
    await expect(keyOf({ ...keys, roleArn: 'arn:a', region: 'r' })).rejects.toThrow(reason)
  })

  it.each<[string, StubAnswer, string]>([
    ['no JSON', { body: '{"SecretAccessKey": "hunter2"' }, 'want JSON'],
    ['a code', { body: '{"Code": "Failed"}' }, 'the service says Failed'],
    ['no key', { body: '{}' }, 'want a text AccessKeyId'],
    ['no time', { body: '{"AccessKeyId":"A","SecretAccessKey":"s","Token":"t","Expiration":"soon"}' }, 'want a time as Expiration'],
  ])('fail in one line when the machine answers %s', async (_name, answer, reason) => {
    override = (path) => (path.endsWith('/my-role') ? answer : undefined)
    const error = await keyOf({}).catch((failure: unknown) => failure as Error)
    expect(String(error)).toContain(reason)
    expect(String(error)).toContain('cannot find AWS credentials in configuration, environment, shared files, container or machine')
    expect(String(error)).not.toContain('hunter2')
  })

  it('are not looked for on the machine where that is switched off', async () => {
    await expect(keyOf({}, { AWS_EC2_METADATA_DISABLED: 'true' })).rejects.toThrow('AWS_EC2_METADATA_DISABLED is set')
    expect(aws.requests).toEqual([])
  })
})

describe('the region of an AWS account', () => {
  it('is that of configuration, environment, profile or machine', async () => {
    expect(await open({ region: 'a' }, { AWS_REGION: 'b' }).region()).toBe('a')
    expect(await open({}, { AWS_REGION: 'b', AWS_DEFAULT_REGION: 'c' }).region()).toBe('b')
    expect(await open({}, { AWS_DEFAULT_REGION: 'c' }).region()).toBe('c')
    expect(await open({}, { AWS_CONFIG_FILE: write('config', '[default]\nregion=d\n') }).region()).toBe('d')
    expect(await open({}).region()).toBeUndefined()
    expect(await open({}).regionOrOwn()).toBe('eu-own-1')
  })
})

describe('parseProfiles', () => {
  it('reads sections, and leaves comments and nested keys out', () => {
    const text =
      '# a\n[ default ]\r\nregion = r ; why\nS3 =\n  x = y\n[profile  p]\naws_secret_access_key = a#b=c\n\n; b\n[default]\noutput=json\nbroken\n'
    expect(Object.fromEntries(parseProfiles(text))).toEqual({
      default: { region: 'r', s3: '', output: 'json' },
      'profile p': { aws_secret_access_key: 'a#b=c' },
    })
  })
})

import { defaultHttpClientConfig, type HttpClientConfig, type OAuth2 } from '@narthex/config/http-client-config'
import { Secret } from '@narthex/config/secret'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, verify, type KeyObject } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createHttpClient, type HttpClient } from './client.ts'
import { startStub, type StubServer } from './testkit/stub-server.ts'

// Every secret that may stand in a file is read again when the file changed; the clock is moved past the second between two looks.

let directory: string
let echo: StubServer
const open: { close(): unknown }[] = []

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  directory = mkdtempSync(join(tmpdir(), 'narthex-secrets-'))
  echo = await startStub(({ headers }) => ({ body: String(headers['x-secret'] ?? headers.authorization) }))
  open.push(echo)
})

afterEach(async () => {
  vi.useRealTimers()
  for (const one of open.splice(0)) await one.close()
  rmSync(directory, { recursive: true })
})

function write(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

function change(name: string, text: string): void {
  write(name, text)
  vi.setSystemTime(Date.now() + 1_000)
}

function client(config: Partial<HttpClientConfig>): HttpClient {
  const made = createHttpClient({ ...defaultHttpClientConfig, ...config })
  open.push(made)
  return made
}

async function ask(made: HttpClient, url = echo.url): Promise<string> {
  return Buffer.from((await made.request({ url })).body).toString('utf8')
}

const basic = (pair: string): string => `Basic ${btoa(pair)}`

describe('a secret in a file', () => {
  it('is read again for basic_auth, user name and password', async () => {
    const made = client({ basicAuth: { username: '', usernameFile: write('u', 'one\n'), passwordFile: write('p', 'p1\n') } })
    expect(await ask(made)).toBe(basic('one:p1'))
    change('p', 'second')
    expect(await ask(made)).toBe(basic('one:second'))
    change('u', 'another')
    expect(await ask(made)).toBe(basic('another:second'))
  })

  it('is read again for authorization', async () => {
    const made = client({ authorization: { type: 'Token', credentialsFile: write('c', 'one') } })
    expect(await ask(made)).toBe('Token one')
    change('c', 'second')
    expect(await ask(made)).toBe('Token second')
  })

  it('is read again for http_headers', async () => {
    const made = client({ httpHeaders: { 'X-Secret': { values: [], secrets: [], files: [write('h', 'one')] } } })
    expect(await ask(made)).toBe('one')
    change('h', 'second')
    expect(await ask(made)).toBe('second')
  })

  it('is read again for an oauth2 client secret, whose token is then not used any more', async () => {
    const tokens = await startStub(({ headers }) => ({
      body: JSON.stringify({
        access_token: Buffer.from(String(headers.authorization).slice(6), 'base64').toString('utf8'),
        expires_in: 3600,
      }),
    }))
    open.push(tokens)
    const oauth2 = oauth2Of({ clientSecretFile: write('s', 'one'), tokenUrl: tokens.url })
    const made = client({ oauth2 })
    expect([await ask(made), await ask(made), tokens.requests.length]).toEqual(['Bearer me:one', 'Bearer me:one', 1])
    change('s', 'second')
    expect([await ask(made), tokens.requests.length]).toEqual(['Bearer me:second', 2])
  })
})

function oauth2Of(more: Partial<OAuth2> & { tokenUrl: string }): OAuth2 {
  return { ...defaultHttpClientConfig, clientId: 'me', scopes: [], endpointParams: {}, claims: {}, ...more }
}

function makeKey(): { pem: string; publicKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { pem: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(), publicKey }
}

const decodePart = (part: string): Record<string, unknown> => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as never
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

describe('oauth2 with a jwt-bearer grant', () => {
  let tokens: StubServer
  beforeEach(async () => {
    tokens = await startStub(() => ({ body: JSON.stringify({ access_token: `t${tokens.requests.length}`, expires_in: 3600 }) }))
    open.push(tokens)
  })

  it.each([
    ['RS256', undefined],
    ['RS384', 'RS384'],
    ['RS512', 'RS512'],
  ])('signs its assertion by %s', async (algorithm, signatureAlgorithm) => {
    vi.setSystemTime(1_700_000_000_000)
    const { pem, publicKey } = makeKey()
    const more = {
      grantType: jwtBearer,
      clientCertificateKey: new Secret(pem),
      clientCertificateKeyId: 'kid',
      scopes: ['a', 'b'],
      endpointParams: { x: 'y' },
      claims: { tenant: 7 },
      ...(signatureAlgorithm === undefined ? {} : { signatureAlgorithm }),
    }
    expect(await ask(client({ oauth2: oauth2Of({ ...more, tokenUrl: tokens.url }) }))).toBe('Bearer t1')
    const form = new URLSearchParams(tokens.requests[0]!.body)
    expect([form.get('grant_type'), form.get('scope'), form.get('x')]).toEqual([jwtBearer, 'a b', 'y'])
    const [header, claims, signature] = form.get('assertion')!.split('.') as [string, string, string]
    expect(decodePart(header)).toEqual({ alg: algorithm, typ: 'JWT', kid: 'kid' })
    expect(decodePart(claims)).toEqual({
      iss: 'me',
      sub: 'me',
      aud: tokens.url,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      iat: 1_700_000_000,
      exp: 1_700_000_600,
      scope: 'a b',
      tenant: 7,
    })
    const hash = `RSA-SHA${algorithm.slice(2)}`
    expect(verify(hash, Buffer.from(`${header}.${claims}`), publicKey, Buffer.from(signature, 'base64url'))).toBe(true)
  })

  it('names itself and its audience as it is told', async () => {
    const more = { grantType: jwtBearer, clientCertificateKey: new Secret(makeKey().pem), issuer: 'iss', audience: 'aud' }
    await ask(client({ oauth2: oauth2Of({ ...more, tokenUrl: tokens.url }) }))
    const claims = decodePart(new URLSearchParams(tokens.requests[0]!.body).get('assertion')!.split('.')[1]!)
    expect([claims['iss'], claims['sub'], claims['aud']]).toEqual(['iss', 'me', 'aud'])
  })

  it('reads a key file again, and says without the key when it is none', async () => {
    const made = client({
      oauth2: oauth2Of({ grantType: jwtBearer, clientCertificateKeyFile: write('k', makeKey().pem), tokenUrl: tokens.url }),
    })
    expect([await ask(made), await ask(made)]).toEqual(['Bearer t1', 'Bearer t1'])
    change('k', `${makeKey().pem}\n`)
    expect(await ask(made)).toBe('Bearer t2')
    change('k', 'hunter2')
    const error = await ask(made).catch(String)
    expect(error).toContain('cannot sign a token: want a private key in PEM')
    expect(error).not.toContain('hunter2')
  })
})

function makeCertificate(name: string): { cert: string; key: string } {
  const [cert, key] = [join(directory, `${name}.cert`), join(directory, `${name}.key`)]
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert], { stdio: 'pipe' })
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push({
    close() {
      server.closeAllConnections()
      server.close()
    },
  })
  return (server.address() as AddressInfo).port
}

describe('a certificate in a file', () => {
  it('is read again: the authority that is trusted, and the one that is shown', async () => {
    const [server, first, second] = [makeCertificate('server'), makeCertificate('first'), makeCertificate('second')]
    const options = { ...server, requestCert: true, rejectUnauthorized: false }
    const secure = createTlsServer(options, (request, response) => {
      response.end(String((request.socket as TLSSocket).getPeerCertificate().subject.CN))
    })
    const url = `https://127.0.0.1:${await listen(secure)}`
    const caFile = write('ca', first.cert)
    const tls = { caFile, certFile: write('cert', first.cert), keyFile: write('key', first.key), insecureSkipVerify: false }
    const made = client({ tls })
    await expect(ask(made, url)).rejects.toThrow('certificate')
    change('ca', `${server.cert}\n`)
    expect(await ask(made, url)).toBe('first')
    write('cert', `${second.cert}\n`)
    change('key', `${second.key}\n`)
    expect(await ask(made, url)).toBe('second')
  })
})

describe('a proxy', () => {
  it('gets the credentials of its URL and the headers of proxy_connect_header', async () => {
    const asked: unknown[] = []
    const proxy = createServer()
    proxy.on('connect', (request, socket) => {
      asked.push([request.headers['proxy-authorization'], request.headers['x-key']])
      const upstream = connect(Number(request.url!.split(':')[1]), '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
      upstream.pipe(socket).pipe(upstream)
      upstream.on('error', () => socket.destroy())
      socket.on('error', () => upstream.destroy())
    })
    const port = await listen(proxy)
    const server = makeCertificate('server')
    const url = `https://127.0.0.1:${await listen(createTlsServer(server, (_request, response) => void response.end('secure')))}`
    const made = client({
      proxyUrl: `http://user:p%40ss@127.0.0.1:${port}`,
      proxyConnectHeader: { 'X-Key': [new Secret('k')] },
      tls: { ca: server.cert, insecureSkipVerify: false },
    })
    expect(await ask(made, url)).toBe('secure')
    expect(asked).toEqual([[basic('user:p@ss'), 'k']])
  })
})

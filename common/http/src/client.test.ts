import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { Secret } from '@narthex/config/secret'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createHttpClient, type HttpClient } from './client.ts'
import { BodyTooLargeError } from './client-errors.ts'

const open: Server[] = []
const clients: HttpClient[] = []
const directories: string[] = []

afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(clients.splice(0).map((client) => client.close()))
  for (const server of open.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
})

function listen(server: Server, path?: string): Promise<number> {
  open.push(server)
  return new Promise((resolve) => {
    if (path === undefined) server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
    else server.listen(path, () => resolve(0))
  })
}

async function serve(listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(createServer(listener))}`
}

function client(...parameters: Parameters<typeof createHttpClient>): HttpClient {
  const made = createHttpClient(...parameters)
  clients.push(made)
  return made
}

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'narthex-client-'))
  directories.push(made)
  return made
}

async function readAll(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  return body
}

const text = (body: Uint8Array): string => Buffer.from(body).toString('utf8')

describe('a request', () => {
  it('sends method, headers and body, and gives status, headers and body', async () => {
    const url = await serve((request, response) => {
      void readAll(request).then((body) =>
        response.writeHead(201, { 'x-a': 'b' }).end(`${request.method} ${request.headers['x-q']} ${body}`),
      )
    })
    const answer = await client(undefined).request({ url: `${url}/p?q=1`, method: 'POST', headers: { 'x-q': 'y' }, body: 'hello' })
    expect([answer.status, answer.headers['x-a'], text(answer.body)]).toEqual([201, 'b', 'POST y hello'])
  })

  it('reuses the connection', async () => {
    const ports = new Set<number | undefined>()
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort)
      response.end('x')
    })
    const made = client(undefined)
    for (let i = 0; i < 5; i++) await made.request({ url })
    expect(ports.size).toBe(1)
  })

  it('sends a GET again when the kept connection was closed under it', async () => {
    let requests = 0
    const url = await serve((request, response) => {
      requests++
      if (requests === 2) request.socket.destroy()
      else response.end(`answer ${requests}`)
    })
    const made = client(undefined)
    await made.request({ url })
    expect(text((await made.request({ url })).body)).toBe('answer 3')
  })

  it('ends after the timeout with the text of Go, also in the middle of the body', async () => {
    const url = await serve((_request, response) => void response.write('part'))
    const error = await client(undefined)
      .request({ url, timeoutMs: 60 })
      .catch((reason: unknown) => reason)
    expect(String(error)).toContain(`Get "${url}/": context deadline exceeded`)
    expect(error).toMatchObject({ isTimeout: true })
  })

  describe('with a sink that needs its time', () => {
    /** Busy for `chunkMs` with each chunk. */
    async function read(url: string, timeoutMs: number, chunkMs: number): Promise<{ chunks: number; error: unknown }> {
      let chunks = 0
      const onData = (): void => {
        chunks++
        const until = performance.now() + chunkMs
        while (performance.now() < until);
      }
      const error = await client(undefined)
        .requestStream({ url, timeoutMs, bodyBytesMax: 2 ** 30 }, { onData })
        .then(
          () => undefined,
          (reason: unknown) => reason,
        )
      return { chunks, error }
    }

    it('does not use up the time of the other side, and lets others have their turn', async () => {
      const body = Buffer.alloc(4 * 2 ** 20, 'x')
      const url = await serve((_request, response) => response.end(body))
      let turns = 0
      const timer = setInterval(() => turns++, 1)
      const { chunks, error } = await read(url, 500, 25)
      clearInterval(timer)
      expect(error).toBeUndefined()
      // More than three times the timeout.
      expect(chunks * 25).toBeGreaterThan(1500)
      expect(turns).toBeGreaterThan(chunks / 4)
    })

    it('does not save an answer that stops in the middle', async () => {
      const url = await serve((_request, response) => void response.write(Buffer.alloc(2 ** 20, 'x')))
      const { chunks, error } = await read(url, 100, 5)
      expect(String(error)).toContain('context deadline exceeded')
      expect(chunks).toBeGreaterThan(1)
    })
  })

  it('accepts a body of exactly the limit and refuses one byte more, declared or not', async () => {
    const url = await serve((request, response) => {
      const size = Number(request.url!.slice(2))
      if (request.url!.startsWith('/c')) response.write('')
      else response.setHeader('content-length', size)
      response.end(Buffer.alloc(size))
    })
    const made = client(undefined)
    for (const kind of ['d', 'c']) {
      expect((await made.request({ url: `${url}/${kind}100`, bodyBytesMax: 100 })).body.length).toBe(100)
      await expect(made.request({ url: `${url}/${kind}101`, bodyBytesMax: 100 })).rejects.toThrow(BodyTooLargeError)
    }
  })

  it('words a refused connection as Go does', async () => {
    const url = await serve(() => undefined)
    open.splice(0).forEach((server) => server.close())
    const address = url.slice('http://'.length)
    await expect(client(undefined).request({ url: `${url}/metrics` })).rejects.toThrow(
      `Get "${url}/metrics": dial tcp ${address}: connect: connection refused`,
    )
  })

  it('words an unknown host as Go does', async () => {
    await expect(client(undefined).request({ url: 'http://does-not-exist.invalid/', timeoutMs: 9_000 })).rejects.toThrow(
      /^Get "http:\/\/does-not-exist.invalid\/": dial tcp: lookup does-not-exist.invalid: /,
    )
  })

  it('finds localhost without DNS', async () => {
    const url = await serve((_request, response) => void response.end('here'))
    const answer = await client(undefined).request({ url: url.replace('127.0.0.1', 'localhost') })
    expect(text(answer.body)).toBe('here')
  })

  it('goes through a unix socket', async () => {
    const socketPath = join(directory(), 's')
    await listen(
      createServer((request, response) => void response.end(`${request.headers.host}${request.url}`)),
      socketPath,
    )
    const answer = await client(undefined).request({ url: 'http://docker/info', socketPath })
    expect(text(answer.body)).toBe('docker/info')
  })

  it('hands chunks to a sink and ends the request when the sink throws', async () => {
    const url = await serve((_request, response) => void response.end('abc'))
    let got = ''
    const made = client(undefined)
    const head = await made.requestStream({ url }, { onData: (chunk) => (got += text(chunk)) })
    expect([head.status, got]).toEqual([200, 'abc'])
    const failing = made.requestStream({ url }, { onData: () => expect.fail('bad line') })
    await expect(failing).rejects.toThrow('bad line')
  })

  it('stops when the caller aborts', async () => {
    const abort = new AbortController()
    const url = await serve(() => abort.abort())
    const answer = client(undefined).request({ url, signal: abort.signal })
    await expect(answer).rejects.toThrow(/abort/i)
  })
})

describe('redirects', () => {
  it('are followed, and credentials stay with their host', async () => {
    const other = await serve((request, response) => void response.end(`auth ${request.headers.authorization ?? 'none'}`))
    const url = await serve((request, response) => {
      if (request.url === '/other') response.writeHead(302, { location: `${other}/x` }).end('moved')
      else if (request.url === '/same') response.writeHead(307, { location: '/end' }).end()
      else response.end(`auth ${request.headers.authorization ?? 'none'}`)
    })
    const made = client({ ...defaultHttpClientConfig, authorization: { type: 'Bearer', credentials: new Secret('t') } })
    expect(text((await made.request({ url: `${url}/same` })).body)).toBe('auth Bearer t')
    expect(text((await made.request({ url: `${url}/other` })).body)).toBe('auth none')
  })

  it('are an answer when follow_redirects is false, and end after ten', async () => {
    const url = await serve((_request, response) => void response.writeHead(302, { location: '/' }).end())
    expect((await client({ ...defaultHttpClientConfig, followRedirects: false }).request({ url })).status).toBe(302)
    await expect(client(undefined).request({ url })).rejects.toThrow('stopped after 10 redirects')
  })
})

describe('authentication', () => {
  const echo: RequestListener = (request, response) => void response.end(request.headers.authorization)

  it('sends basic auth', async () => {
    const made = client({ ...defaultHttpClientConfig, basicAuth: { username: 'u', password: new Secret('p:q') } })
    expect(text((await made.request({ url: await serve(echo) })).body)).toBe(`Basic ${btoa('u:p:q')}`)
  })

  it('reads a credentials file again when it changed', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const credentialsFile = join(directory(), 'token')
    writeFileSync(credentialsFile, 'one\n')
    const made = client({ ...defaultHttpClientConfig, authorization: { type: 'Bearer', credentialsFile } })
    const url = await serve(echo)
    expect(text((await made.request({ url })).body)).toBe('Bearer one')
    writeFileSync(credentialsFile, 'second')
    utimesSync(credentialsFile, 1, 1)
    // Files are looked at once a second.
    vi.setSystemTime(Date.now() + 1_000)
    expect(text((await made.request({ url })).body)).toBe('Bearer second')
  })

  it('names a credentials file that cannot be read', async () => {
    const made = client({ ...defaultHttpClientConfig, authorization: { type: 'Bearer', credentialsFile: '/does/not/exist' } })
    await expect(made.request({ url: await serve(echo) })).rejects.toThrow('unable to read file /does/not/exist')
  })

  it('adds http_headers of values, secrets and files', async () => {
    const file = join(directory(), 'h')
    writeFileSync(file, 'three\n')
    const header = { values: ['one'], secrets: [new Secret('two')], files: [file] }
    const made = client({ ...defaultHttpClientConfig, httpHeaders: { 'X-Scope': header } })
    const url = await serve((request, response) => void response.end(request.headers['x-scope']))
    expect(text((await made.request({ url })).body)).toBe('one, two, three')
  })

  it('fetches an oauth2 token once and keeps it', async () => {
    let tokens = 0
    const tokenUrl = await serve((request, response) => {
      void readAll(request).then((body) => {
        tokens++
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify({ access_token: `${request.headers.authorization} ${body}`, expires_in: 3600, token_type: 'bearer' }))
      })
    })
    const oauth2 = {
      ...defaultHttpClientConfig,
      clientId: 'me',
      clientSecret: new Secret('shh'),
      tokenUrl,
      scopes: ['a', 'b'],
      endpointParams: { audience: 'x' },
      claims: {},
    }
    const made = client({ ...defaultHttpClientConfig, oauth2 })
    const url = await serve(echo)
    const [first, second] = await Promise.all([made.request({ url }), made.request({ url })])
    expect(text(first.body)).toBe(`Bearer Basic ${btoa('me:shh')} grant_type=client_credentials&audience=x&scope=a+b`)
    expect([text(second.body), tokens]).toEqual([text(first.body), 1])
  })
})

describe('TLS', () => {
  function makeCertificate(into: string): { cert: string; key: string } {
    const [cert, key] = [join(into, 'cert.pem'), join(into, 'key.pem')]
    const subject = ['-subj', '/CN=example.test', '-addext', 'subjectAltName=DNS:example.test']
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '2',
        ...subject,
        '-keyout',
        key,
        '-out',
        cert,
      ],
      { stdio: 'pipe' },
    )
    return { cert, key }
  }

  it('verifies against ca_file and server_name, and says why it refuses', async () => {
    const { cert, key } = makeCertificate(directory())
    const port = await listen(
      createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }, (_request, response) => void response.end('secure')),
    )
    const url = `https://127.0.0.1:${port}`
    const tls = { caFile: cert, serverName: 'example.test', insecureSkipVerify: false }
    expect(text((await client({ ...defaultHttpClientConfig, tls }).request({ url })).body)).toBe('secure')
    await expect(client(undefined).request({ url })).rejects.toThrow('x509: certificate signed by unknown authority')
    await expect(client({ ...defaultHttpClientConfig, tls: { caFile: cert, insecureSkipVerify: false } }).request({ url })).rejects.toThrow(
      'tls: failed to verify certificate',
    )
    const insecure = { insecureSkipVerify: true }
    expect(text((await client({ ...defaultHttpClientConfig, tls: insecure }).request({ url })).body)).toBe('secure')
  })
})

describe('a proxy', () => {
  it('gets what no_proxy does not exempt', async () => {
    const url = await serve((_request, response) => void response.end('direct'))
    const proxy = createServer((request, response) => void response.end(`proxied ${request.url}`))
    proxy.on('connect', (request, socket) => {
      const [host, port] = request.url!.split(':')
      const upstream = connect(Number(port), host, () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
      upstream.pipe(socket).pipe(upstream)
    })
    const proxyUrl = `http://127.0.0.1:${await listen(proxy)}`
    const answer = await client({ ...defaultHttpClientConfig, proxyUrl }).request({ url: `${url}/a` })
    expect(text(answer.body)).toBe(`proxied ${url}/a`)
    const exempt = client({ ...defaultHttpClientConfig, proxyUrl, noProxy: '127.0.0.0/8' })
    expect(text((await exempt.request({ url })).body)).toBe('direct')
  })
})

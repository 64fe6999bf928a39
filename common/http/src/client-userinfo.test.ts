import { defaultHttpClientConfig, type HttpClientConfig } from '@narthex/config/http-client-config'
import { Secret } from '@narthex/config/secret'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createHttpClient, type HttpClient } from './client.ts'
import { startStub, type StubServer } from './testkit/stub-server.ts'

const open: HttpClient[] = []
let stub: StubServer
let other: StubServer

beforeEach(async () => {
  other = await startStub(({ headers }) => ({ body: headers['authorization'] as string }))
  stub = await startStub(({ url, headers }) => {
    if (url.pathname === '/here') return { status: 302, headers: { location: '/' } }
    if (url.pathname === '/there') return { status: 302, headers: { location: other.url } }
    if (url.pathname === '/login') return { status: 302, headers: { location: other.url.replace('//', '//x:y@') } }
    return { body: headers['authorization'] as string }
  })
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()))
  stub.close()
  other.close()
})

async function authorization(userinfo: string, path = '/', config: Partial<HttpClientConfig> = {}, headers = {}): Promise<string> {
  const client = createHttpClient({ ...defaultHttpClientConfig, ...config })
  open.push(client)
  const { body } = await client.request({ url: `${stub.url.replace('//', `//${userinfo}@`)}${path}`, headers })
  const text = Buffer.from(body).toString('utf8')
  return text.startsWith('Basic ') ? Buffer.from(text.slice('Basic '.length), 'base64').toString('utf8') : text
}

describe('user:password@host in a URL', () => {
  it('is sent as Basic authentication, escapes undone', async () => {
    expect(await authorization('user:pass%40word')).toBe('user:pass@word')
    expect(await authorization('user')).toBe('user:')
    expect(await authorization('us%zer:p')).toBe('us%zer:p')
  })

  it('comes before what the configuration says, and after a header of the request', async () => {
    expect(await authorization('u:p', '/', { basicAuth: { username: 'c', password: new Secret('d') } })).toBe('u:p')
    expect(await authorization('u:p', '/', {}, { Authorization: 'Token t' })).toBe('Token t')
  })

  it('is sent again to the same host, and not to another one', async () => {
    expect(await authorization('u:p', '/here')).toBe('u:p')
    expect(await authorization('u:p', '/there')).toBe('')
    expect(await authorization('u:p', '/login')).toBe('x:y')
  })

  it('is not in the text of an error', async () => {
    const client = createHttpClient(undefined)
    open.push(client)
    await expect(client.request({ url: 'http://user:hidden@127.0.0.1:1/' })).rejects.toThrow(
      /^Get "http:\/\/user:xxxxx@127\.0\.0\.1:1\/": /,
    )
  })
})

import fastify from 'fastify'
import { request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { answerWithoutRoute } from './no-route.ts'

const app = fastify({ exposeHeadRoutes: false })
answerWithoutRoute(app)
app.get('/a.b/:name/values', () => 'x')
app.route({ method: ['POST', 'PUT'], url: '/change', handler: () => 'x' })
app.route({ method: ['GET', 'HEAD'], url: '/health', handler: () => 'x' })
void app.register(
  (scope, _options, done) => {
    scope.options('/*', () => '')
    scope.delete('/change', () => 'x')
    done()
  },
  { prefix: '/api' },
)
beforeAll(() => app.listen({ port: 0, host: '127.0.0.1' }))
afterAll(() => app.close())

it.each([
  ['GET', '/nothing', 404, undefined],
  ['GET', '/aXb/n/values', 404, undefined],
  ['GET', '/a.b/n/m/values', 404, undefined],
  ['POST', '/a.b/n/values?x', 405, 'GET, OPTIONS'],
  ['GET', '/change', 405, 'OPTIONS, POST, PUT'],
  ['POST', '/health', 405, 'GET, HEAD, OPTIONS'],
  ['GET', '/api/change', 405, 'DELETE, OPTIONS'],
  ['GET', '/api/other', 404, undefined],
] as const)('%s %s is answered with %i as by a Go server', async (method, url, status, allow) => {
  const { statusCode, body, headers } = await app.inject({ method, url })
  expect([statusCode, headers['allow'], headers['content-type']]).toEqual([status, allow, 'text/plain; charset=utf-8'])
  expect(body).toBe(status === 404 ? '404 page not found\n' : 'Method Not Allowed\n')
})

it('HEAD is answered without a body, and as GET where a route says so alone', async () => {
  const head = async (url: string) => {
    const { statusCode, body, headers } = await app.inject({ method: 'HEAD', url })
    return [statusCode, body, headers['allow']]
  }
  expect(await head('/a.b/n/values')).toEqual([405, '', 'GET, OPTIONS'])
  expect(await head('/health')).toEqual([200, '', undefined])
  expect(await head('/nothing')).toEqual([404, '', undefined])
})

it('OPTIONS is answered with what is allowed', async () => {
  const { statusCode, body, headers } = await app.inject({ method: 'OPTIONS', url: '/change' })
  expect([statusCode, body, headers['allow']]).toEqual([200, '', 'OPTIONS, POST, PUT'])
  expect((await app.inject({ method: 'OPTIONS', url: '/nothing' })).statusCode).toBe(404)
})

it.each([
  ['GET', '//a.b/n/values?x=//', 301, '/a.b/n/values?x=//'],
  ['POST', '/change/../change', 308, '/change'],
  ['GET', '/./nothing//', 301, '/nothing/'],
  ['GET', '/../..', 301, '/'],
  ['GET', '//evil.example/', 301, '/evil.example/'],
  ['GET', '/.\\evil.example//', 301, '/.%5Cevil.example/'],
  ['GET', '//\\evil.example', 301, '/%5Cevil.example'],
] as const)('%s %s is sent to the plainest form of the path, on this server', async (method, url, status, location) => {
  // `inject` would clean the path itself.
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ host: '127.0.0.1', port: (app.server.address() as AddressInfo).port, method, path: url, agent: false }, resolve)
      .on('error', reject)
      .end()
  })
  answer.resume()
  expect([answer.statusCode, answer.headers.location]).toEqual([status, location])
})

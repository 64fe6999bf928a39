import fastify from 'fastify'
import { afterAll, expect, it } from 'vitest'
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

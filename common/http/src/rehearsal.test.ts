import { afterEach, describe, expect, it } from 'vitest'
import { createHttpServer, type HttpServer } from './server.ts'

const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
const observed: string[] = []
const instruments = { observe: (handler: string, method: string, status: number) => void observed.push(`${method} ${handler} ${status}`) }
let server: HttpServer

async function makeServer(): Promise<{ seen: string[]; url: string }> {
  server = await createHttpServer({ listenAddress: ['127.0.0.1:0'], log, name: 'test', instruments, routePrefix: 'prefix' })
  const seen: string[] = []
  server.routes((app, _options, done) => {
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, parsed) => parsed(null, body))
    app.get('/list', async (request) => {
      await Promise.resolve()
      seen.push(request.url)
      return 'x'.repeat(100_000)
    })
    app.post('/query', (request) => {
      seen.push(String(request.body))
      return 'answer'
    })
    app.get('/bug', () => {
      throw new Error('a bug')
    })
    done()
  })
  const [url] = await server.listen()
  return { seen, url: url! }
}

afterEach(async () => {
  observed.length = 0
  await server.close(0)
})

describe('a request that nobody sent', () => {
  it('is answered by the routes, whole', async () => {
    const { seen } = await makeServer()
    await server.rehearse({ method: 'GET', path: '/prefix/list?a=1' })
    await server.rehearse({ method: 'POST', path: '/prefix/query', form: 'query=ä' })
    expect(seen).toEqual(['/prefix/list?a=1', 'query=ä'])
  })

  it('is not counted, and one that somebody sent is', async () => {
    const { url } = await makeServer()
    await server.rehearse({ method: 'GET', path: '/prefix/list' })
    await (await fetch(new URL('prefix/list', url))).text()
    expect(observed).toEqual(['GET /list 200'])
  })

  it('may find no route, and what fails', async () => {
    await makeServer()
    await server.rehearse({ method: 'GET', path: '/elsewhere' })
    await server.rehearse({ method: 'GET', path: '/prefix/bug' })
    expect(observed).toEqual([])
  })

  it('is none when the server is closed', async () => {
    const { seen } = await makeServer()
    await server.close(0)
    await server.rehearse({ method: 'GET', path: '/prefix/list' })
    expect(seen).toEqual([])
  })
})

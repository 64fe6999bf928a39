import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { registerAssetRoot } from '@narthex/service/asset'
import { fastify } from 'fastify'
import { afterAll, expect, test } from 'vitest'
import { registerPages } from './pages.ts'

const directory = mkdtempSync(join(tmpdir(), 'narthex-pages-'))
mkdirSync(join(directory, 'web', 'assets'), { recursive: true })
writeFileSync(join(directory, 'web', 'index.html'), '<head><base href="/" /><title>Narthex</title></head>')
writeFileSync(join(directory, 'web', 'agent.html'), '<head><base href="/" /><title>Narthex Agent</title></head>')
writeFileSync(join(directory, 'web', 'assets', 'index-a.js'), 'let x')
writeFileSync(join(directory, 'secret'), 'secret')
registerAssetRoot('web', join(directory, 'web'))

afterAll(() => rmSync(directory, { recursive: true }))

function open(prefix: string, title = 'Narthex') {
  const app = fastify()
  void app.register(
    (scope, _options, done) => {
      registerPages(scope, { prefix, title })
      done()
    },
    { prefix },
  )
  return app
}

test('serves the document on every page path below the prefix, with the prefix as its base and the title escaped', async () => {
  const app = open('/px', '<b> & "$&"')
  for (const url of ['/px/', '/px/query', '/px/alerts']) {
    const { statusCode, payload } = await app.inject({ url })
    expect([statusCode, payload]).toEqual([200, '<head><base href="/px/" /><title>&#60;b&#62; &#38; &#34;$&#38;&#34;</title></head>'])
  }
  expect((await app.inject({ url: '/query' })).statusCode).toBe(404)
})

test('serves an asset under its own name alone', async () => {
  const app = open('')
  expect((await app.inject({ url: '/assets/index-a.js' })).payload).toBe('let x')
  for (const path of ['%2e%2findex-a.js', '..%2fassets%2findex-a.js', '..%2f..%2fsecret', '%00', 'none.js', '']) {
    expect((await app.inject({ url: `/assets/${path}` })).statusCode, path).toBe(404)
  }
})

test('serves the pages of an agent, also below a path of their own', async () => {
  const app = fastify()
  void app.register(
    (scope, _options, done) => {
      registerPages(scope, { prefix: '/px', title: 'A', program: 'agent', path: '/agent' })
      done()
    },
    { prefix: '/px' },
  )
  for (const url of ['/px/agent/', '/px/agent/targets', '/px/agent/remote-write']) {
    expect((await app.inject({ url })).payload).toBe('<head><base href="/px/agent/" /><title>A</title></head>')
  }
  expect((await app.inject({ url: '/px/agent' })).headers['location']).toBe('/px/agent/')
  expect((await app.inject({ url: '/px/agent/assets/index-a.js' })).payload).toBe('let x')
  for (const url of ['/px/agent/query', '/px/targets']) expect((await app.inject({ url })).statusCode, url).toBe(404)
})

import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runCompareExporter } from './compare-exporter.ts'

const servers: Server[] = []
let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-compare-'))
})
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  rmSync(directory, { recursive: true })
})

async function serve(listener: RequestListener, socketPath?: string): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) =>
    socketPath === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(socketPath, resolve),
  )
  const address = server.address()
  return typeof address === 'object' && address !== null ? `127.0.0.1:${address.port}` : `unix:${socketPath}`
}

/** Answers one text after the other, the last one again and again, at /metrics only. */
function answers(...texts: readonly string[]): RequestListener {
  let asked = 0
  return (request, response) => {
    if (request.url !== '/metrics') response.writeHead(404)
    response.end(texts[Math.min(asked++, texts.length - 1)])
  }
}

async function run(...argv: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  const error = await runCompareExporter(argv).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof PrintAndExit) return { code: error.exitCode, text: error.text }
  if (error instanceof UserError) return { code: error.exitCode, text: error.message }
  throw new Error('want an end with a text', { cause: error })
}

const own = 'go_goroutines 7\nprocess_cpu_seconds_total 1\nnode_exporter_build_info{version="1"} 1\n'

test('exporters that show the same end with 0; what they say of themselves is not compared', async () => {
  const first = await serve(answers(`${own}a 1\n`))
  const second = await serve(answers('a 1\npromhttp_metric_handler_requests_in_flight 1\n'))
  expect(await run(first, `http://${second}`)).toEqual({
    code: 0,
    text: '1 family: 1 same, 0 different, 0 missing, 0 additional; 4 families not compared\n',
  })
  const { code, text } = await run('--own-metrics', first, second)
  expect(code).toBe(1)
  expect(text).toContain('go_goroutines: untyped, 1 sample\n')
})

test('differences end with 1', async () => {
  const [first, second] = [await serve(answers('a 1\nb 1\n')), await serve(answers('a 2\n'))]
  const missing = 'only the first has these families: 1\n  b: untyped, 1 sample\n'
  expect(await run(first, second)).toEqual({
    code: 1,
    text: `${missing}other values: 1\n  a: want 1, got 2\n2 families: 0 same, 1 different, 1 missing, 0 additional\n`,
  })
  expect(await run('--values=false', first, second)).toEqual({
    code: 1,
    text: `${missing}2 families: 1 same, 0 different, 1 missing, 0 additional\n`,
  })
  expect((await run('--values=false', '--ignore=b', first, second)).code).toBe(0)
  expect((await run('--ignore=b', '--tolerance=0.4', '--tolerance=a=0.5', first, second)).code).toBe(0)
  expect((await run('--ignore=b', '--tolerance=0.5', '--tolerance=a=0.4', first, second)).code).toBe(1)
})

test('additions are told and can be allowed', async () => {
  const [first, second] = [await serve(answers('a 1\n')), await serve(answers('a 1\nb 1\n'))]
  expect((await run(first, second)).code).toBe(1)
  const { code, text } = await run('--allow-additional', first, second)
  expect(code).toBe(0)
  expect(text).toContain('only the second has these families: 1\n  b: untyped, 1 sample\n')
})

test('with --twice the first is read before and after the second', async () => {
  const counter = (value: number): string => `# TYPE a counter\na ${value}\n`
  const first = await serve(answers(counter(1), counter(3), counter(5), counter(5)))
  const second = await serve(answers(counter(2), counter(9)))
  expect((await run('--twice', first, second)).code).toBe(0)
  expect((await run('--twice', first, second)).text).toBe(
    'other values: 1\n  a: want 5, got 9\n1 family: 0 same, 1 different, 0 missing, 0 additional\n',
  )
})

test('unix sockets, saved texts and passwords are taken, headers are sent', async () => {
  const seen: (string | undefined)[] = []
  const answer = answers('a 1\n')
  const socket = await serve(
    (request, response) => {
      seen.push(request.headers['x-scope'] as string, request.headers.authorization)
      answer(request, response)
    },
    join(directory, 's.sock'),
  )
  const address = await serve((request, response) => {
    seen.push(request.headers.authorization)
    answer(request, response)
  })
  const file = join(directory, 'saved.prom')
  writeFileSync(file, 'a 1\n')
  expect((await run('--header=X-Scope=b', `file:${file}`, socket)).code).toBe(0)
  expect((await run(`${socket}:/metrics`, `http://me:hidden@${address}/metrics`)).code).toBe(0)
  expect(seen).toEqual(['b', undefined, undefined, undefined, `Basic ${Buffer.from('me:hidden').toString('base64')}`])
})

test('what cannot be read ends with 2 and one line', async () => {
  const fine = await serve(answers('a 1\n'))
  const broken = await serve(answers('a one\n'))
  expect(await run(fine, broken)).toEqual({
    code: 2,
    text: `narthex compare exporter: cannot read ${broken}: text format parsing error in line 1: expected float as value, got "one"`,
  })
  expect(await run(`${fine}/other`, fine)).toEqual({
    code: 2,
    text: `narthex compare exporter: cannot read ${fine}/other: want status 200, got 404: a 1`,
  })
  expect((await run(fine, 'me:hidden@127.0.0.1:1')).text).toMatch(/^narthex compare exporter: cannot read me:xxxxx@127.0.0.1:1: .*refused$/)
  expect((await run(fine, `file:${directory}/none`)).text).toMatch(/cannot read file:.*none: ENOENT/)
  expect((await run(fine)).text).toContain("required argument 'second' not provided")
  expect((await run(fine, 'ftp://x')).text).toMatch(/cannot use exporter address ftp:\/\/x: want http/)
  expect((await run('--ignore=(', fine, fine)).text).toMatch(/cannot use --ignore=\(/)
  expect((await run('--tolerance=a=x', fine, fine)).text).toMatch(/cannot use --tolerance=a=x: want a number/)
  expect((await run('--header=x', fine, fine)).code).toBe(2)
})

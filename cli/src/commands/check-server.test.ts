import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { runCheckServer } from './check-server.ts'

let server: Server
let address: string
const asked: string[] = []
const temporary = makeTemporaryDirectory()

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    if (request.headers.authorization === undefined && request.url!.startsWith('/closed/')) response.writeHead(401).end()
    else if (request.url!.endsWith('/-/ready')) response.writeHead(503).end('Service Unavailable')
    else response.end('Prometheus Server is Healthy.\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.close()
  temporary.remove()
})

async function check(kind: 'healthy' | 'ready', ...flags: string[]): Promise<string> {
  let told = ''
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    told += chunk.toString()
    return true
  })
  try {
    await runCheckServer(kind, flags)
    return told
  } finally {
    spy.mockRestore()
  }
}

describe('narthex check healthy, ready', () => {
  test('prints what a server says that answers 200, whatever the form of its URL', async () => {
    for (const url of [`http://${address}`, `http://${address}/`, address]) {
      asked.length = 0
      expect(await check('healthy', `--url=${url}`)).toBe('  SUCCESS:  Prometheus Server is Healthy.\n\n')
      expect(asked).toEqual(['GET /-/healthy'])
    }
    expect(await check('healthy', '--url', `http://${address}/prefix`)).toContain('SUCCESS')
    expect(asked.at(-1)).toBe('GET /prefix/-/healthy')
  })

  test('fails with the status of any other answer', async () => {
    await expect(check('ready', `--url=http://${address}`)).rejects.toThrow(
      expect.objectContaining({ name: 'UserError', exitCode: 1, message: `check failed: URL=http://${address}, status=503` }),
    )
  })

  test('fails with the reason if nobody answers', async () => {
    await expect(check('ready', '--url=http://127.0.0.1:1')).rejects.toThrow(
      expect.objectContaining({
        exitCode: 1,
        message: 'Get "http://127.0.0.1:1/-/ready": dial tcp 127.0.0.1:1: connect: connection refused',
      }),
    )
    await expect(check('ready', '--url=http://')).rejects.toThrow('narthex check ready: cannot parse URL "http://"')
  })

  test('authenticates itself as --http.config.file says', async () => {
    const path = join(temporary.path, 'http.yml')
    writeFileSync(path, 'basic_auth: {username: a, password: b}\n')
    const url = `--url=http://${address}/closed`
    await expect(check('healthy', url)).rejects.toThrow('status=401')
    expect(await check('healthy', url, `--http.config.file=${path}`)).toContain('SUCCESS')
    writeFileSync(path, 'basic_auths: {}\n')
    await expect(check('healthy', url, `--http.config.file=${path}`)).rejects.toThrow('field basic_auths not found')
  })
})

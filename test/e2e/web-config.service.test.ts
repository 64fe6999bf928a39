import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import bcrypt from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launcher } from '../kit/narthex.ts'
import { findProgram } from '../kit/packages.ts'
import { findFreePort, makeTemporaryDirectory, startProcess, waitFor, type RunningProcess } from '../kit/process.ts'

// --web.config.file on every listener: TLS with our certificate, and a password.

const temporary = makeTemporaryDirectory()
const running: RunningProcess[] = []
const file = (name: string) => join(temporary.path, name)

beforeAll(() => {
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const key = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', file('key.pem'), '-out', file('cert.pem'), '-days', '2']
  const made = spawnSync(findProgram('openssl')!, [...key, ...subject], { encoding: 'utf8' })
  expect(made.status, made.stderr).toBe(0)
  const users = `basic_auth_users: {ann: '${bcrypt.hashSync('secret', 8)}'}\n`
  writeFileSync(file('web.yml'), `tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n${users}`)
  writeFileSync(file('empty.yml'), 'scrape_configs: []\n')
})
afterAll(async () => {
  for (const process of running) await process.stop(6_000)
  temporary.remove()
})

/** Status and body of an HTTPS GET that trusts our certificate alone. */
function get(port: number, path: string, user?: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, ca: readFileSync(file('cert.pem')), ...(user === undefined ? {} : { auth: user }) }
    const call = request(options, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
    call.on('error', reject)
    call.end()
  })
}

async function start(args: readonly string[], path: string): Promise<number> {
  const port = await findFreePort()
  const process = startProcess(launcher, [...args, `--web.listen-address=127.0.0.1:${port}`, `--web.config.file=${file('web.yml')}`], {
    cwd: temporary.path,
  })
  running.push(process)
  await waitFor('an answer over TLS', async () => (await get(port, path, 'ann:secret')).status === 200, { process, timeoutMs: 30_000 })
  return port
}

describe('a web configuration with TLS and a password', { timeout: 60_000 }, () => {
  test.each([
    ['server', ['server', `--config.file=${file('empty.yml')}`, `--storage.tsdb.path=${file('server')}`], '/-/ready'],
    ['agent', ['agent', `--config.file=${file('empty.yml')}`, `--storage.agent.path=${file('agent')}`], '/metrics'],
    ['exporter', ['exporter', 'node'], '/metrics'],
  ] as const)('guards %s', async (_name, args, path) => {
    const port = await start(args, path)
    expect((await get(port, path)).status).toBe(401)
    expect((await get(port, path, 'ann:wrong')).status).toBe(401)
    expect((await get(port, path, 'bob:secret')).status).toBe(401)
  })

  test('guards up, whose own samples still arrive', async () => {
    const port = await start(['up', `--storage.path=${file('up')}`], '/-/ready')
    expect((await get(port, '/api/v1/query?query=up')).status).toBe(401)
    expect((await get(port, '/alertmanager/api/v2/status')).status).toBe(401)
    await waitFor('samples', async () => (await get(port, '/api/v1/query?query=count(up==1)', 'ann:secret')).body.includes('"2"'))
  })
})

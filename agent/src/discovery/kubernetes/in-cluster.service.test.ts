import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DiscoveryBench } from './testkit/discovery-bench.ts'
import { realPod } from './testkit/objects.ts'
import { StubApiServer } from './testkit/stub-api-server.ts'

let account: string
let bench: DiscoveryBench

beforeEach(() => {
  account = mkdtempSync(join(tmpdir(), 'narthex-account-'))
  bench = new DiscoveryBench()
})

afterEach(() => {
  bench.stop()
  rmSync(account, { recursive: true })
})

/** A certificate of its own for 127.0.0.1; gives its texts. */
function makeCertificate(name: string): { cert: string; key: string } {
  const [cert, key] = [join(account, `${name}.crt`), join(account, `${name}.key`)]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync('openssl', ['req', '-x509', ...curve, '-nodes', '-days', '2', ...subject, '-keyout', key, '-out', cert], { stdio: 'pipe' })
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
}

test('uses the pod`s token, CA and namespace, and follows a new token', async () => {
  const tls = makeCertificate('ca')
  writeFileSync(join(account, 'token'), 'first\n')
  writeFileSync(join(account, 'namespace'), 'shop')
  const api = new StubApiServer()
  api.set('pods', realPod('a'))
  api.set('pods', realPod('b', { metadata: { namespace: 'other' } }))
  const url = new URL(await api.listen(0, tls))
  try {
    let token = 'first'
    api.refuse = ({ headers }) => (headers.authorization === `Bearer ${token}` ? undefined : { status: 401, message: 'Unauthorized' })
    Object.assign(bench.env, { KUBERNETES_SERVICE_HOST: url.hostname, KUBERNETES_SERVICE_PORT: url.port })
    const run = bench.start({ ownNamespace: true }, account)
    await bench.until('targets', () => run.groups.size === 1 && api.watchCount === 1)
    expect([...run.groups.keys()]).toEqual(['pod/shop/a'])
    token = 'second-token'
    writeFileSync(join(account, 'token'), token)
    api.dropWatches()
    api.set('pods', realPod('c'))
    await bench.until('targets with the new token', () => run.groups.has('pod/shop/c'), 500)
    expect(bench.lines.join('')).not.toMatch(/first|second-token/)
  } finally {
    bench.stop()
    await api.close()
  }
})

test('does not speak to a server of another CA', async () => {
  writeFileSync(join(account, 'token'), 'secret-token')
  const api = new StubApiServer()
  const url = new URL(await api.listen(0, makeCertificate('stranger')))
  makeCertificate('ca')
  try {
    Object.assign(bench.env, { KUBERNETES_SERVICE_HOST: url.hostname, KUBERNETES_SERVICE_PORT: url.port })
    bench.start({}, account)
    await bench.until('trouble', () => bench.lines.length > 0)
    expect(bench.lines[0]).toContain('tls: failed to verify certificate')
    expect(api.requests).toEqual([])
  } finally {
    bench.stop()
    await api.close()
  }
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { kubeconfigBytesMax, parseKubeconfig, readKubeconfig } from './kubeconfig.ts'
import { DiscoveryBench } from './testkit/discovery-bench.ts'
import { realPod } from './testkit/objects.ts'
import { StubApiServer } from './testkit/stub-api-server.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')

function configOf(user: string, cluster = 'server: https://api:6443'): string {
  return `apiVersion: v1
kind: Config
current-context: prod
contexts:
- {name: test, context: {cluster: nowhere, user: nobody}}
- {name: prod, context: {cluster: main, user: me}}
clusters:
- {name: main, cluster: {${cluster}}}
users:
- {name: me, user: {${user}}}
`
}

const http = (user: string, cluster?: string) => parseKubeconfig(configOf(user, cluster), '/home/me/.kube').http

describe('parseKubeconfig', () => {
  test('reads the current context`s server', () => {
    expect(parseKubeconfig(configOf('token: t'), '/').server).toBe('https://api:6443')
  })

  test('takes inline certificates before files, and paths from its own directory', () => {
    const inline = `certificate-authority-data: ${base64('CA')}, certificate-authority: ca.pem, tls-server-name: api.local, server: https://a`
    const user = `client-certificate-data: ${base64('CERT')}, client-key-data: ${base64('KEY')}, client-key: key.pem`
    const { tls } = http(user, inline)
    expect(tls).toMatchObject({ ca: 'CA', cert: 'CERT', serverName: 'api.local', insecureSkipVerify: false })
    expect(tls?.key?.reveal()).toBe('KEY')
    expect(tls).not.toHaveProperty('keyFile')
    expect(
      http(
        'client-certificate: c.pem, client-key: /k.pem',
        'server: https://a, certificate-authority: ca.pem, insecure-skip-tls-verify: true',
      ).tls,
    ).toEqual({ caFile: '/home/me/.kube/ca.pem', certFile: '/home/me/.kube/c.pem', keyFile: '/k.pem', insecureSkipVerify: true })
  })

  test('reads token, token file and basic auth', () => {
    expect(http('token: t').authorization?.credentials?.reveal()).toBe('t')
    expect(http('token: t, tokenFile: token').authorization).toEqual({ type: 'Bearer', credentialsFile: '/home/me/.kube/token' })
    const { basicAuth } = http('username: u, password: p')
    expect([basicAuth?.username, basicAuth?.password?.reveal()]).toEqual(['u', 'p'])
    expect(http('').authorization).toBeUndefined()
  })

  test('takes the proxy it names, else that of the environment', () => {
    expect(http('', 'server: https://a, proxy-url: "http://p:1"')).toMatchObject({ proxyUrl: 'http://p:1', proxyFromEnvironment: false })
    expect(http('').proxyFromEnvironment).toBe(true)
  })

  test.each([
    ['exec: {command: aws}', 'exec of user "me" is not built yet; use a token, tokenFile or client certificate'],
    ['auth-provider: {name: gcp}', 'auth-provider of user "me" is not built yet; use a token, tokenFile or client certificate'],
    ['as: admin', 'as of user "me" is not built yet; use a token, tokenFile or client certificate'],
    ['client-certificate: c.pem', 'a client certificate needs client-key or client-key-data'],
    ['client-certificate-data: "%%", client-key: k', 'client-certificate-data: want base64'],
  ])('refuses user {%s}', (user, message) => {
    expect(() => http(user)).toThrow(message)
  })

  test.each([
    ['', 'want a mapping'],
    ['a: [', /^not YAML: \w+ in line \d+$/],
    ['{}', 'current-context is not set'],
    ['{current-context: a}', 'contexts has no context "a"'],
    ['{current-context: a, contexts: [{name: a}]}', 'context "a": want a mapping'],
    ['{current-context: a, contexts: [{name: a, context: {cluster: b}}]}', 'clusters has no cluster "b"'],
    [configOf('', 'x: y'), 'cluster "main" has no server'],
  ])('refuses %j', (text, message) => {
    expect(() => parseKubeconfig(text, '/')).toThrow(message)
  })
})

describe('kubeconfig_file', () => {
  test('leads to targets', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'narthex-kubeconfig-'))
    const api = new StubApiServer()
    const bench = new DiscoveryBench()
    api.set('pods', realPod('a'))
    api.refuse = ({ headers }) => (headers.authorization === 'Bearer t1' ? undefined : { status: 401, message: 'Unauthorized' })
    try {
      writeFileSync(join(directory, 'config'), configOf('tokenFile: token', `server: "${await api.listen()}"`))
      writeFileSync(join(directory, 'token'), 't1')
      const run = bench.start({ kubeconfigFile: join(directory, 'config') })
      await bench.until('targets', () => run.groups.size === 1)
    } finally {
      bench.stop()
      await api.close()
      rmSync(directory, { recursive: true })
    }
  })

  test('is refused when absent or too large, with its name', () => {
    const directory = mkdtempSync(join(tmpdir(), 'narthex-kubeconfig-'))
    const path = join(directory, 'config')
    try {
      expect(() => readKubeconfig(path)).toThrow(`cannot use kubeconfig ${path}: ENOENT`)
      const text = configOf('')
      writeFileSync(path, text + '#'.repeat(kubeconfigBytesMax - text.length))
      expect(readKubeconfig(path).server).toBe('https://api:6443')
      writeFileSync(path, text + '#'.repeat(kubeconfigBytesMax - text.length + 1))
      expect(() => readKubeconfig(path)).toThrow(`want at most ${kubeconfigBytesMax} bytes, got ${kubeconfigBytesMax + 1}`)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

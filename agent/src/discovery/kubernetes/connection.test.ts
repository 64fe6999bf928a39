import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { Secret } from '@narthex/config/secret'
import { findConnection } from './connection.ts'
import { DiscoveryBench } from './testkit/discovery-bench.ts'

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

describe('inside a cluster', () => {
  test('says what is missing elsewhere', () => {
    expect(() => bench.start({}, account)).toThrow(
      'unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined',
    )
    expect(() => bench.start({ apiServer: 'http://x', ownNamespace: true }, account)).toThrow("could not determine the pod's namespace")
  })

  test('puts brackets round an IPv6 address', () => {
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }
    expect(findConnection(bench.config({}), env, account).server).toBe('https://[fd00::1]:443')
  })
})

describe('api_server', () => {
  test('may have a path', () => {
    const { server } = findConnection(bench.config({ apiServer: 'https://rancher/k8s/clusters/c-1/' }), {})
    expect(server).toBe('https://rancher/k8s/clusters/c-1')
  })

  test('is one connection with equal settings, and another with another secret', () => {
    const keyOf = (token: string): string => {
      const http = { ...defaultHttpClientConfig, authorization: { type: 'Bearer', credentials: new Secret(token) } }
      return findConnection(bench.config({ apiServer: 'https://a', http }), {}).key
    }
    expect(keyOf('x')).toBe(keyOf('x'))
    expect(keyOf('x')).not.toBe(keyOf('y'))
  })

  test('is refused when it is no URL', () => {
    expect(() => findConnection(bench.config({ apiServer: 'http://[' }), {})).toThrow('cannot use API server "http://[": want a URL')
  })
})

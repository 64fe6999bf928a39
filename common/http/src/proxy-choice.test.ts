import { describe, expect, it } from 'vitest'
import { findProxy } from './proxy-choice.ts'

const base = { proxyFromEnvironment: false, proxyConnectHeader: {} }
const find = (noProxy: string, url: string): boolean => findProxy({ ...base, proxyUrl: 'http://p', noProxy }, new URL(url)) !== undefined

describe('no_proxy', () => {
  it.each([
    ['*', 'http://a.test', false],
    ['a.test', 'http://a.test', false],
    ['a.test', 'http://x.a.test', false],
    ['a.test', 'http://ba.test', true],
    ['.a.test', 'http://a.test', true],
    ['.a.test', 'http://x.a.test', false],
    ['a.test:81', 'http://a.test', true],
    ['a.test:80', 'http://a.test', false],
    ['10.0.0.0/8', 'http://10.1.2.3', false],
    ['10.0.0.0/8', 'http://11.1.2.3', true],
    ['::1', 'http://[::1]:9', false],
    ['', 'http://a.test', true],
  ])('%j: %s goes through the proxy: %s', (noProxy, url, proxied) => {
    expect(find(noProxy, url)).toBe(proxied)
  })
})

describe('proxy_from_environment', () => {
  const config = { ...base, proxyFromEnvironment: true }

  it('takes the variable of the scheme and never proxies local traffic', () => {
    const env = { HTTP_PROXY: 'one:1', https_proxy: 'http://two:2', NO_PROXY: 'skip.test' }
    expect(findProxy(config, new URL('http://a.test'), env)).toBe('http://one:1')
    expect(findProxy(config, new URL('https://a.test'), env)).toBe('http://two:2')
    expect(findProxy(config, new URL('http://skip.test'), env)).toBeUndefined()
    expect(findProxy(config, new URL('http://localhost:9'), env)).toBeUndefined()
  })
})

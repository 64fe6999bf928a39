import { describe, expect, it } from 'vitest'
import { isLoopbackAddress, parseListenAddress } from './listen-address.ts'

describe('parseListenAddress', () => {
  it.each([
    [':9090', undefined, 9090],
    ['0.0.0.0:9090', '0.0.0.0', 9090],
    ['localhost:0', 'localhost', 0],
    ['[::1]:65535', '::1', 65535],
  ])('reads %s', (text, host, port) => {
    expect(parseListenAddress(text)).toMatchObject({ host, port })
  })

  it('reads a socket that is open already', () => {
    expect(parseListenAddress('fd:3').descriptor).toBe(3)
    expect(isLoopbackAddress(parseListenAddress('fd:3'))).toBe(false)
  })

  it('reads a unix socket', () => {
    expect(parseListenAddress('unix:/run/x.sock').socketPath).toBe('/run/x.sock')
  })

  it.each([
    ['9090', 'missing port in address'],
    ['::1:9090', 'too many colons in address'],
    ['host:abc', 'invalid port'],
    [':65536', 'invalid port'],
    ['127.0.0.1:1x', 'invalid port'],
    ['[::1]:x', 'invalid port'],
  ])('refuses %s', (text, reason) => {
    expect(() => parseListenAddress(text)).toThrow(reason)
  })

  it('knows which addresses only this machine reaches', () => {
    const loopback = ['127.0.0.1:1', 'localhost:1', '[::1]:1', 'unix:/x', '127.9.9.9:1']
    expect(loopback.map((text) => isLoopbackAddress(parseListenAddress(text)))).toEqual([true, true, true, true, true])
    expect([':1', '0.0.0.0:1', '10.0.0.1:1'].map((text) => isLoopbackAddress(parseListenAddress(text)))).toEqual([false, false, false])
  })
})

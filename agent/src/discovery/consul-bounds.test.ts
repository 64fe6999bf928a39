import { describe, expect, test } from 'vitest'
import { checkServiceCount, ConsulBounds, consulBytesMax, consulInstancesMax, consulServicesMax } from './consul-bounds.ts'

describe('the services of Consul', () => {
  test('may be as many as are allowed, and not one more', () => {
    expect(() => checkServiceCount(consulServicesMax)).not.toThrow()
    expect(() => checkServiceCount(consulServicesMax + 1)).toThrow('cannot watch services: want at most 10000, got 10001')
  })

  test('may have as many instances together as are allowed, and not one more', () => {
    const bounds = new ConsulBounds()
    bounds.take('a', { instances: consulInstancesMax - 1, bytes: 0 })
    bounds.take('b', { instances: 1, bytes: 0 })
    expect(() => bounds.take('c', { instances: 1, bytes: 0 })).toThrow(
      'cannot read instances: want at most 100000 of all services, got 100001',
    )
    expect(() => bounds.take('b', { instances: 2, bytes: 0 })).toThrow('got 100001')
    // What was refused does not count; what is given back may be taken.
    bounds.take('a', { instances: 1, bytes: 0 })
    bounds.take('b', { instances: consulInstancesMax - 1, bytes: 0 })
    bounds.forget('a')
    expect(() => bounds.take('c', { instances: 1, bytes: 0 })).not.toThrow()
    expect(() => bounds.take('c', { instances: 2, bytes: 0 })).toThrow('got 100001')
  })

  test('may take as many bytes together as are allowed, and not one more', () => {
    const bounds = new ConsulBounds()
    bounds.take('a', { instances: 1, bytes: consulBytesMax - 10 })
    bounds.take('b', { instances: 1, bytes: 10 })
    expect(() => bounds.take('b', { instances: 1, bytes: 11 })).toThrow(
      `cannot read instances: want at most ${consulBytesMax} bytes of all services, got ${consulBytesMax + 1}`,
    )
  })
})

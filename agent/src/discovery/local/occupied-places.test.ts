import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { serviceRules } from './known-services.ts'
import { OccupiedPlaces } from './occupied-places.ts'
import type { FoundService } from './scanner.ts'

const found = (host: string, port: number, isOwnNamespace = true, path?: string): FoundService => ({
  key: '',
  rule: serviceRules[0]!,
  process: undefined,
  startTimeMs: 0,
  matchedBy: 'name',
  tcp: [{ host, port, inode: 1 }],
  unix: path === undefined ? [] : [{ path, inode: 2 }],
  isOwnNamespace,
})

test.each([
  'http://localhost:9100/metrics',
  'http://127.0.0.1:9100/metrics',
  'https://[::1]:9100/',
  `http://${hostname()}:9100/metrics`,
  `http://${hostname().split('.')[0]}.example.org:9100/metrics`,
  'http://exporter:1/probe?target=localhost%3A9100',
  'http://exporter:1/probe?target=redis%3A%2F%2Flocalhost%3A9100',
])('%s is where a listener on port 9100 of this machine is', (url) => {
  const occupied = new OccupiedPlaces()
  occupied.addUrl(url)
  expect(occupied.has(found('0.0.0.0', 9100))).toBe(true)
  expect(occupied.has(found('::', 9100))).toBe(true)
  expect(occupied.has(found('127.0.0.1', 9101))).toBe(false)
  // The same number in another network namespace is another place.
  expect(occupied.has(found('0.0.0.0', 9100, false))).toBe(false)
})

test('addresses of other machines are other places, and the one of a container is its own', () => {
  const occupied = new OccupiedPlaces()
  occupied.addUrl('http://192.0.2.99:9100/metrics')
  occupied.addUrl('http://172.17.0.9/metrics')
  occupied.addUrl('not a url')
  expect(occupied.has(found('0.0.0.0', 9100))).toBe(false)
  expect(occupied.has(found('172.17.0.9', 80, false))).toBe(true)
})

test('configured exporters take their address, socket and page', () => {
  const occupied = new OccupiedPlaces()
  occupied.addService({ address: 'localhost:3306' })
  occupied.addService({ socketPath: '/run/m.sock' })
  occupied.addService({ uri: 'http://127.0.0.1/stub_status' })
  occupied.addService({ uri: 'unix:/run/n.sock:/stub_status' })
  expect(occupied.has(found('127.0.0.1', 3306))).toBe(true)
  expect(occupied.has(found('127.0.0.1', 80))).toBe(true)
  expect(occupied.has(found('127.0.0.1', 1, true, '/run/m.sock'))).toBe(true)
  expect(occupied.has(found('127.0.0.1', 1, true, '/run/n.sock'))).toBe(true)
  expect(occupied.has(found('127.0.0.1', 1, true, '/run/o.sock'))).toBe(false)
})

import { expect, test } from 'vitest'
import { makeProxyHeader } from './proxy-protocol.ts'

const ends = (localAddress?: string, remoteAddress?: string) => ({ localAddress, localPort: 40_000, remoteAddress, remotePort: 80 })

test.each([
  [ends('10.0.0.1', '10.0.0.2'), 'PROXY TCP4 10.0.0.1 10.0.0.2 40000 80\r\n'],
  [ends('::1', '::1'), 'PROXY TCP6 ::1 ::1 40000 80\r\n'],
  [ends(), 'PROXY UNKNOWN\r\n'],
])('the header names both ends of %j', (socket, header) => {
  expect(Buffer.from(makeProxyHeader(socket)).toString()).toBe(header)
})

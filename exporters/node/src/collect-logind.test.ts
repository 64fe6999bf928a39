import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startFakePeer, type Answer, type FakePeer } from './dbus/fake-peer.ts'
import { onlyCollector, parseText, scrapeOnce, valueOf } from './test-exporter.ts'

const sessions: Record<string, Record<string, readonly [type: string, value: unknown]>> = {
  '/session/1': { Remote: ['b', 0], Type: ['s', 'wayland'], Class: ['s', 'user'] },
  '/session/2': { Remote: ['b', 1], Type: ['s', 'tty'], Class: ['s', 'user'] },
  '/session/3': { Remote: ['b', 1], Type: ['s', 'tty'], Class: ['s', 'user'] },
  '/session/4': { Remote: ['b', 0], Type: ['s', 'hologram'], Class: ['s', 'manager'] },
}

const answer: Answer = ({ args, member, path }) => {
  if (member === 'ListSeats') return { signature: 'a(so)', values: [[['seat0', '/seat/0']]] }
  if (member === 'ListSessions') {
    const paths = [...Object.keys(sessions), '/session/gone']
    return {
      signature: 'a(susso)',
      values: [paths.map((at, index) => [`c${index}`, 1000, 'user', index === 0 || index === 3 ? 'seat0' : '', at])],
    }
  }
  const property = sessions[path]?.[args[1]!]
  return property === undefined
    ? { errorName: 'org.freedesktop.DBus.Error.UnknownObject', text: 'gone' }
    : { signature: 'v', values: [property] }
}

let peer: FakePeer
beforeEach(async () => {
  peer = await startFakePeer({ answer })
  vi.stubEnv('DBUS_SYSTEM_BUS_ADDRESS', `unix:path=${peer.socketPath}`)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await peer.close()
})

test('sessions are counted by seat, class and type; unknown words are `other`, and a session that ended is left out', async () => {
  const families = parseText(await scrapeOnce(onlyCollector('logind')))
  const count = (className: string, remote: string, seat: string, type: string): number | undefined =>
    valueOf(families, 'node_logind_sessions', 'class', className, 'remote', remote, 'seat', seat, 'type', type)
  expect(count('user', 'false', 'seat0', 'wayland')).toBe(1)
  expect(count('user', 'true', '', 'tty')).toBe(2)
  expect(count('other', 'false', 'seat0', 'other')).toBe(1)
  expect(count('greeter', 'true', 'seat0', 'mir')).toBe(0)
  const { samples } = families.get('node_logind_sessions')!
  expect(samples).toHaveLength(5 * 2 * 2 * 7)
  expect(samples.reduce((sum, { value }) => sum + value, 0)).toBe(4)
})

import { expect, test } from 'vitest'
import { findSystemdSockets } from './systemd-sockets.ts'

test('sockets of systemd are those for this process', () => {
  expect(findSystemdSockets({ LISTEN_PID: '7', LISTEN_FDS: '2' }, 7)).toEqual(['fd:3', 'fd:4'])
})

test.each([{}, { LISTEN_PID: '8', LISTEN_FDS: '1' }, { LISTEN_PID: '7', LISTEN_FDS: '0' }, { LISTEN_PID: '7', LISTEN_FDS: '65' }])(
  'no sockets stop the start: %j',
  (environment) => {
    expect(() => findSystemdSockets(environment, 7)).toThrow('want 1 to 64 sockets for process 7, got LISTEN_PID=')
  },
)

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { DbusConnection, DbusError } from './connection.ts'
import { startFakePeer, type FakePeer, type FakePeerOptions } from './fake-peer.ts'
import { findSystemBus, SharedConnection, withConnection } from './shared-connection.ts'

const target = { destination: 'org.example.Peer', path: '/org/example/Peer', interface: 'org.example.Peer' }

let peer: FakePeer | undefined
let connection: DbusConnection | undefined
afterEach(async () => {
  connection?.close()
  await peer?.close()
})

async function connect(options: FakePeerOptions, isBus = true): Promise<DbusConnection> {
  peer = await startFakePeer(options)
  connection = await DbusConnection.open({ socketPath: peer.socketPath, isBus, signal: new AbortController().signal })
  return connection
}

test('a bus is greeted, and calls carry destination, path, interface and strings in UTF-8', async () => {
  const bus = await connect({ answer: () => ({ signature: 's', values: ['grüße'] }) })
  const { reader } = await bus.call(target, 'Echo', 'a', 'ünïcode ∎')
  expect(reader.string()).toBe('grüße')
  expect(peer!.calls).toEqual([
    { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus', member: 'Hello', args: [] },
    { ...target, member: 'Echo', args: ['a', 'ünïcode ∎'] },
  ])
})

test('a program that is spoken to directly is not greeted and gets no destination', async () => {
  const bus = await connect({ answer: () => ({ signature: '', values: [] }) }, false)
  await bus.call(target, 'Echo')
  expect(peer!.calls).toEqual([{ ...target, destination: '', member: 'Echo', args: [] }])
})

test('properties of all basic types are read', async () => {
  const values: Record<string, [string, unknown]> = {
    text: ['s', 'x'],
    path: ['o', '/a'],
    byte: ['y', 255],
    yes: ['b', 1],
    unsigned: ['u', 4_294_967_295],
    signed: ['i', -1],
    long: ['t', 2n ** 64n - 1n],
    negative: ['x', -5n],
  }
  const bus = await connect({ answer: ({ args }) => ({ signature: 'v', values: [values[args[1]!]] }) })
  const got = await Promise.all(Object.keys(values).map((name) => bus.getProperty(target, name)))
  expect(got).toEqual(['x', '/a', 255, true, 4_294_967_295, -1, 2n ** 64n - 1n, -5n])
  expect(peer!.calls.at(-1)).toEqual({
    ...target,
    interface: 'org.freedesktop.DBus.Properties',
    member: 'Get',
    args: [target.interface, 'negative'],
  })
})

test('a property of another type is refused', async () => {
  const bus = await connect({ answer: () => ({ signature: 'v', values: [['as', ['a']]] }) })
  await expect(bus.getProperty(target, 'List')).rejects.toThrow('want a basic type, got as')
})

test('a refusal costs the call and not the connection', async () => {
  const bus = await connect({
    answer: ({ member }) =>
      member === 'Bad' ? { errorName: 'org.example.Error.No', text: 'not today' } : { signature: 's', values: ['fine'] },
  })
  const refused = await bus.call(target, 'Bad').catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(DbusError)
  expect(refused).toMatchObject({ code: 'org.example.Error.No', message: 'cannot call Bad of /org/example/Peer: not today' })
  expect((await bus.call(target, 'Good')).reader.string()).toBe('fine')
})

test('a thousand calls at once come back in order, also when replies arrive byte by byte', async () => {
  const bus = await connect({ answer: ({ args }) => ({ signature: 's', values: [args[0]] }), pieceBytes: 1 })
  const names = Array.from({ length: 1000 }, (_, index) => `call ${index}`)
  const got = await Promise.all(names.map(async (name) => (await bus.call(target, 'Echo', name)).reader.string()))
  expect(got).toEqual(names)
})

test('a peer that goes ends the calls that wait, and later ones', async () => {
  const bus = await connect({ answer: () => undefined })
  const waiting = Array.from({ length: 100 }, () => bus.call(target, 'Wait').catch((error: unknown) => (error as Error).message))
  await expect.poll(() => peer!.calls.length).toBeGreaterThan(60)
  peer!.dropConnections()
  const messages = new Set(await Promise.all(waiting))
  expect(messages).toEqual(
    new Set(['cannot call Wait of /org/example/Peer: the peer closed the connection', 'the peer closed the connection']),
  )
  expect(bus.isOpen).toBe(false)
  await expect(bus.call(target, 'Again')).rejects.toThrow('the peer closed the connection')
})

test('a refused authentication says what came', async () => {
  await expect(connect({ answer: () => undefined, authLine: 'REJECTED ANONYMOUS' })).rejects.toThrow(
    /cannot connect to D-Bus at .*: want OK to EXTERNAL authentication as user [0-9]+, got "REJECTED ANONYMOUS"/,
  )
})

test('a deadline ends calls that hang, and the next scrape is answered on a new connection', async () => {
  let isHanging = true
  peer = await startFakePeer({ answer: () => (isHanging ? undefined : { signature: 's', values: ['back'] }) })
  const shared = new SharedConnection([{ socketPath: peer.socketPath, isBus: true }])
  const deadline = new AbortController()
  const hung = withConnection(shared, deadline.signal, (bus) => bus.call(target, 'Ask'))
  await expect.poll(() => peer!.calls.length).toBe(2)
  deadline.abort()
  await expect(hung).rejects.toThrow('want an answer before the scrape ends, got none')
  isHanging = false
  const { reader } = await withConnection(shared, new AbortController().signal, (bus) => bus.call(target, 'Ask'))
  expect(reader.string()).toBe('back')
  expect(peer.connections).toBe(2)
  shared.reset(new Error('the end'))
})

test('places are tried in turn, and all reasons are told', async () => {
  peer = await startFakePeer({ answer: () => ({ signature: '', values: [] }) })
  const missing = { socketPath: '/no/such/socket', isBus: true }
  const { signal } = new AbortController()
  const shared = new SharedConnection([missing, { socketPath: peer.socketPath, isBus: false }])
  await withConnection(shared, signal, (bus) => bus.call(target, 'Ask'))
  shared.reset(new Error('the end'))
  await expect(new SharedConnection([missing, { ...missing, socketPath: '/nor/this' }]).get(signal)).rejects.toThrow(
    'cannot connect to D-Bus at /no/such/socket: connect ENOENT /no/such/socket; cannot connect to D-Bus at /nor/this: connect ENOENT /nor/this',
  )
})

test('the system bus is found from its address', () => {
  expect(findSystemBus('')).toEqual({ socketPath: '/var/run/dbus/system_bus_socket', isBus: true })
  expect(findSystemBus('unix:path=/run/a%20b,guid=12').socketPath).toBe('/run/a b')
  expect(findSystemBus('tcp:host=x;unix:guid=1,abstract=bus').socketPath).toBe('\0bus')
  expect(() => findSystemBus('tcp:host=x')).toThrow('want unix:path= or unix:abstract=, got "tcp:host=x"')
})

test('a refusal whose text ends too early fails its call, and the connection', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-dbus-'))
  const socketPath = join(directory, 'bus')
  // An error (type 3) that answers call 1, signature s, with a text of 255 bytes that are not there.
  const fields = [5, 1, 0x75, 0, 1, 0, 0, 0, 8, 1, 0x67, 0, 1, 0x73, 0]
  const refusal = Buffer.from([0x6c, 3, 1, 1, 4, 0, 0, 0, 9, 0, 0, 0, fields.length, 0, 0, 0, ...fields, 0, 255, 0, 0, 0])
  const server = createServer((socket) => {
    socket.once('data', () => {
      socket.write('OK 1234deadbeef\r\n')
      // Behind the line that begins, which may come with the call.
      socket.on('data', (chunk) => void (chunk.length > 7 && socket.write(refusal)))
    })
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  connection = await DbusConnection.open({ socketPath, isBus: false, signal: new AbortController().signal })
  await expect(connection.call(target, 'Echo')).rejects.toThrow('cannot call Echo of /org/example/Peer: cannot read D-Bus message')
  expect(connection.isOpen).toBe(false)
  server.close()
  rmSync(directory, { recursive: true })
})

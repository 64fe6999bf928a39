import { afterEach, beforeEach, expect, test } from 'vitest'
import { ProcFiles } from './proc-files.ts'
import { createSocketTable, updateSocketTable } from './socket-tables.ts'
import type { SocketTable } from './socket-tables.ts'
import { FakeProc, printTcp } from './testkit/fake-proc.ts'

let proc: FakeProc
let files: ProcFiles
let table: SocketTable

beforeEach(() => {
  proc = new FakeProc()
  files = new ProcFiles(proc.path)
  table = createSocketTable()
})

afterEach(() => proc.remove())

const update = (): boolean => updateSocketTable(table, files, '1/net')
const tcp = (): string[] => [...table.tcp.values()].map(({ host, port, inode }) => `${host} ${port} ${inode}`)

test('reads addresses as the kernel prints them', () => {
  const rows = [
    '   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   112        0 21043 1 0000000000000000 100 0 0 10 0\n',
    '   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 19 1 0000000000000000 100 0 0 10 0\n',
  ]
  const rows6 = [
    '   0: 00000000000000000000000000000000:18EB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 30 1 0 100 0 0 10 0\n',
    '   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31 1 0 100 0 0 10 0\n',
    '   2: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 32 1 0 100 0 0 10 0\n',
    '   3: B80D01200000000000000000AB000000:0052 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 33 1 0 100 0 0 10 0\n',
  ]
  proc.setFile(1, 'net/tcp', `  sl  local_address\n${rows.join('')}`)
  proc.setFile(1, 'net/tcp6', `  sl  local_address\n${rows6.join('')}`)
  expect(update()).toBe(true)
  expect(tcp()).toEqual(['127.0.0.1 3306 21043', '0.0.0.0 22 19', ':: 6379 30', '::1 80 31', '127.0.0.1 81 32', '2001:db8::ab 82 33'])
})

test('agrees with its own printer for any address', () => {
  const hosts = ['10.1.2.3', '255.255.255.255', 'fe80::1:0:0:1', '1:2:3:4:5:6:7:8', '0:1::']
  proc.setSockets(
    1,
    hosts.map((host, index) => ({ host, port: 65_535 - index, inode: index + 1 })),
  )
  update()
  expect(tcp().map((line) => line.split(' ')[0])).toEqual(['10.1.2.3', '255.255.255.255', 'fe80::1:0:0:1', '1:2:3:4:5:6:7:8', '0:1::'])
})

test('takes listeners only', () => {
  proc.setSockets(1, [
    { host: '127.0.0.1', port: 1, inode: 1 },
    { host: '127.0.0.1', port: 2, inode: 2, state: 1 },
    { host: '127.0.0.1', port: 3, inode: 3, state: 6 },
  ])
  update()
  expect(tcp()).toEqual(['127.0.0.1 1 1'])
})

test('reads listeners over many pieces of the file, and stops at the connections behind them', () => {
  const row = (index: number, state: number): string => printTcp({ host: '127.0.0.1', port: index, inode: index, state }, index)
  const listeners = Array.from({ length: 2000 }, (_, i) => row(i + 1, 0x0a))
  const connections = Array.from({ length: 3000 }, (_, i) => row(i + 3000, 1))
  // A listener behind them is not where the kernel puts one: finding it would mean that everything is read.
  proc.setFile(1, 'net/tcp', ['head\n', ...listeners, ...connections, row(60_000, 0x0a)].join(''))
  update()
  expect(table.tcp.size).toBe(2000)
  expect(table.tcp.get(2000)).toEqual({ inode: 2000, host: '127.0.0.1', port: 2000 })
})

test('keeps the objects of listeners that stay, and forgets those that went', () => {
  proc.setSockets(1, [
    { host: '127.0.0.1', port: 1, inode: 1 },
    { host: '127.0.0.1', port: 2, inode: 2 },
  ])
  update()
  const kept = table.tcp.get(1)
  proc.setSockets(1, [{ host: '127.0.0.1', port: 1, inode: 1 }])
  update()
  expect(table.tcp.get(1)).toBe(kept)
  expect(table.tcp.has(2)).toBe(false)
})

test('reads unix sockets that listen under a path, with spaces in it too', () => {
  proc.setSockets(
    1,
    [],
    [
      { path: '/run/mysqld/mysqld.sock', inode: 1 },
      { path: '/run/with space.sock', inode: 2 },
      { path: '/run/connected.sock', inode: 3, isListening: false },
      { path: '@abstract', inode: 4 },
      { path: '', inode: 5 },
    ],
  )
  update()
  expect([...table.unix.values()]).toEqual([
    { inode: 1, path: '/run/mysqld/mysqld.sock' },
    { inode: 2, path: '/run/with space.sock' },
  ])
})

test.each([
  '',
  'garbage',
  'head\n\n\n',
  'head\n0: 0100007F:0CEA\n',
  'head\n: : : 0A 0 0 0 0 0 x\n',
  `head\n${'0'.repeat(100_000)}\n`,
  '\0\xff\n',
])('makes nothing of %j', (text) => {
  for (const name of ['tcp', 'tcp6', 'unix']) proc.setFile(1, `net/${name}`, text)
  update()
  expect(table.tcp.size + table.unix.size).toBe(0)
})

test('says when there is nothing to read', () => {
  expect(updateSocketTable(table, files, '77/net')).toBe(false)
})

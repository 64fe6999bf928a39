import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findEndpoints, hasRoute, readLocalAddresses, readRoutes } from './endpoints.ts'
import type { Endpoint } from './endpoints.ts'
import { ProcFiles } from './proc-files.ts'
import { noFacts } from './process-facts.ts'
import { serviceRules } from './known-services.ts'
import type { FoundService } from './scanner.ts'
import { FakeProc } from './testkit/fake-proc.ts'

const trie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 172.17.0.0
        /16 link UNICAST
     |-- 172.17.0.2
        /32 host LOCAL
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
Local:
     |-- 172.17.0.2
        /32 host LOCAL
`

const routes = `Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
down0\t0000000A\t00000000\t0000\t0\t0\t0\t000000FF\t0\t0\t0
`

test('reads the addresses of a namespace but loopback', () => {
  expect(readLocalAddresses(trie)).toEqual(['172.17.0.2'])
  expect(readLocalAddresses('')).toEqual([])
})

test('a default route is no route, nor is one that is down', () => {
  const known = readRoutes(routes)
  expect(hasRoute(known, '172.17.0.2')).toBe(true)
  expect(hasRoute(known, '172.18.0.2')).toBe(false)
  expect(hasRoute(known, '10.0.0.1')).toBe(false)
})

describe('the places of a service', () => {
  let proc: FakeProc
  beforeEach(() => {
    proc = new FakeProc()
  })
  afterEach(() => proc.remove())

  const service = (tcp: { host: string; port: number; inode: number }[], isOwnNamespace: boolean, unix: string[] = []): FoundService => ({
    key: '10/1',
    rule: serviceRules[0]!,
    process: { pid: 10, comm: 'mysqld', exeName: 'mysqld', netns: 'net:[2]', rule: serviceRules[0], firstSeenMs: 0 },
    startTimeMs: 0,
    matchedBy: 'name',
    tcp,
    unix: unix.map((path, index) => ({ path, inode: index + 1000 })),
    isOwnNamespace,
  })
  const print = (endpoints: Endpoint[]): string[] =>
    endpoints.map((each) => (each.kind === 'unix' ? each.path : `${each.host} ${each.port}`))
  const find = async (found: FoundService, ownTcp = found.tcp): Promise<string[]> =>
    print(await findEndpoints(found, noFacts, new ProcFiles(proc.path), ownTcp))

  test('are its unix sockets first, then its addresses, each once', async () => {
    const tcp = [
      { host: '0.0.0.0', port: 3306, inode: 1 },
      { host: '127.0.0.1', port: 3306, inode: 2 },
      { host: '10.0.0.1', port: 3306, inode: 3 },
    ]
    expect(await find(service(tcp, true, ['/run/m.sock', `/${'x'.repeat(107)}`]))).toEqual([
      '/run/m.sock',
      '127.0.0.1 3306',
      '10.0.0.1 3306',
    ])
  })

  test('of a listener on :: are both loopbacks, but not the one on which another listens', async () => {
    const listener = { host: '::', port: 80, inode: 1 }
    expect(await find(service([listener], true))).toEqual(['127.0.0.1 80', '::1 80'])
    const other = { host: '127.0.0.1', port: 80, inode: 2 }
    expect(await find(service([listener], true), [listener, other])).toEqual(['::1 80'])
  })

  test('in another namespace are at its own address, never on loopback, and only by a route of their own', async () => {
    proc.addProcess({ pid: 10, comm: 'mysqld', netns: 2 })
    proc.setFile(10, 'net/fib_trie', trie)
    const tcp = [
      { host: '0.0.0.0', port: 3306, inode: 1 },
      { host: '127.0.0.1', port: 3307, inode: 2 },
      { host: '172.17.0.2', port: 3308, inode: 3 },
    ]
    expect(await find(service(tcp, false))).toEqual([])
    proc.setFile(1, 'net/route', routes)
    expect(await find(service(tcp, false))).toEqual(['172.17.0.2 3306', '172.17.0.2 3308'])
    proc.setFile(1, 'net/fib_trie', trie)
    expect(await find(service(tcp, false))).toEqual([])
  })
})

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Scanner } from './scanner.ts'
import type { FoundService } from './scanner.ts'
import { FakeProc } from './testkit/fake-proc.ts'

let proc: FakeProc
let scanner: Scanner

beforeEach(() => {
  proc = new FakeProc()
  scanner = new Scanner(proc.path)
})

afterEach(() => proc.remove())

const describeService = ({ key, rule, matchedBy, tcp, unix }: FoundService): string =>
  [key, rule.service, matchedBy, ...tcp.map(({ host, port }) => `${host}:${port}`), ...unix.map(({ path }) => path)].join(' ')

async function scan(): Promise<string[]> {
  return (await scanner.scan()).services.map(describeService).sort()
}

const listener = (port: number, inode: number, host = '127.0.0.1') => ({ host, port, inode })

describe('a scan', () => {
  test('finds a service by the name of its process, on whatever port, with all it listens on', async () => {
    proc.addProcess({ pid: 10, comm: 'mariadbd', sockets: [100, 101, 102, 103], startTicks: 777 })
    proc.setSockets(1, [listener(12_345, 100), listener(12_345, 101, '::')], [{ path: '/run/m.sock', inode: 102 }])
    expect(await scan()).toEqual(['10/777 mysql name 127.0.0.1:12345 :::12345 /run/m.sock'])
  })

  test('finds a service by its port when the process has another name', async () => {
    proc.addProcess({ pid: 10, comm: 'my-fork', sockets: [100, 101] })
    proc.setSockets(1, [listener(6379, 100), listener(7000, 101)])
    expect(await scan()).toEqual(['10/500/6379 redis port 127.0.0.1:6379'])
  })

  test('finds nothing on an unknown port of an unknown process', async () => {
    proc.addProcess({ pid: 10, comm: 'app', sockets: [100] })
    proc.setSockets(1, [listener(8080, 100), listener(80, 101)])
    expect(await scan()).toEqual([])
  })

  test('leaves ports alone on which a service speaks another protocol', async () => {
    proc.addProcess({ pid: 10, comm: 'mysqld', sockets: [100, 101, 102] })
    proc.addProcess({ pid: 11, comm: 'redis-server', sockets: [200, 201] })
    proc.setSockets(1, [listener(3306, 100), listener(33_060, 101), listener(4567, 102), listener(7000, 200), listener(17_000, 201)])
    expect(await scan()).toEqual(['10/500 mysql name 127.0.0.1:3306', '11/500 redis name 127.0.0.1:7000'])
  })

  test.each(['docker-proxy', 'ssh', 'systemd'])('leaves a known port alone that %s holds for somebody else', async (comm) => {
    proc.addProcess({ pid: 10, comm, sockets: [100] })
    proc.setSockets(1, [listener(3306, 100)])
    expect(await scan()).toEqual([])
  })

  test('finds a process by the name of its file, and by a name that the kernel has cut', async () => {
    proc.addProcess({ pid: 10, comm: 'server', exe: '/opt/x/redis-server (deleted)', sockets: [100] })
    proc.addProcess({ pid: 11, comm: 'prometheus-node-exporter', exe: '/nowhere', sockets: [101] })
    proc.addProcess({ pid: 12, comm: 'acme_exporter', sockets: [102] })
    proc.setSockets(1, [listener(1000, 100), listener(1001, 101), listener(1002, 102)])
    expect(await scan()).toEqual([
      '10/500 redis name 127.0.0.1:1000',
      '11/500 node name 127.0.0.1:1001',
      '12/500 exporter name 127.0.0.1:1002',
    ])
  })

  test('takes the master where workers hold the same sockets', async () => {
    proc.addProcess({ pid: 12, comm: 'nginx', sockets: [100] })
    proc.addProcess({ pid: 11, comm: 'nginx', sockets: [100] })
    proc.setSockets(1, [listener(80, 100)])
    const { services, isAnyStarting } = await scanner.scan()
    expect(services.map(describeService)).toEqual(['11/500 nginx name 127.0.0.1:80'])
    expect(isAnyStarting).toBe(false)
  })

  test('leaves this process out', async () => {
    proc.addProcess({ pid: 1, comm: 'prometheus', sockets: [100] })
    proc.setSockets(1, [listener(9090, 100)])
    expect(await scan()).toEqual([])
  })

  test('follows a service that moves to another port, and one that starts anew', async () => {
    proc.addProcess({ pid: 10, comm: 'redis-server', sockets: [100] })
    proc.setSockets(1, [listener(1000, 100)])
    expect(await scan()).toEqual(['10/500 redis name 127.0.0.1:1000'])
    proc.addProcess({ pid: 10, comm: 'redis-server', sockets: [101], startTicks: 900 })
    proc.setSockets(1, [listener(2000, 101)])
    expect(await scan()).toEqual(['10/900 redis name 127.0.0.1:2000'])
    proc.removeProcess(10)
    proc.setSockets(1, [])
    expect(await scan()).toEqual([])
  })

  test('finds a service in a process that has become another program', async () => {
    proc.addProcess({ pid: 10, comm: 'entrypoint.sh' })
    expect(await scan()).toEqual([])
    proc.addProcess({ pid: 10, comm: 'mysqld', sockets: [100] })
    proc.setSockets(1, [listener(3307, 100)])
    expect(await scan()).toEqual(['10/500 mysql name 127.0.0.1:3307'])
  })

  test('tells of a process with a known name that does not listen yet, and between scans of one that is new', async () => {
    expect(scanner.hasNewService()).toBe(false)
    await scanner.scan()
    proc.addProcess({ pid: 10, comm: 'mysqld' })
    expect(scanner.hasNewService()).toBe(true)
    expect((await scanner.scan()).isAnyStarting).toBe(true)
    expect(scanner.hasNewService()).toBe(false)
  })

  test('reads other network namespaces through one of their processes', async () => {
    proc.addProcess({ pid: 10, comm: 'sh', netns: 2 })
    proc.addProcess({ pid: 11, comm: 'redis-server', netns: 2, sockets: [100] })
    proc.setSockets(10, [listener(6379, 100, '0.0.0.0')])
    const { services, ownTcp } = await scanner.scan()
    expect(services.map(describeService)).toEqual(['11/500 redis name 0.0.0.0:6379'])
    expect(services[0]!.isOwnNamespace).toBe(false)
    expect(ownTcp).toEqual([])
  })

  test('finds ports only where it may not look into processes', async () => {
    proc.addProcess({ pid: 10, comm: 'redis-server' })
    proc.setSockets(1, [listener(6379, 100), listener(6380, 101)])
    await scanner.scan()
    expect(await scan()).toEqual(['socket/100 redis port 127.0.0.1:6379'])
    expect((await scanner.scan()).services[0]!.process).toBeUndefined()
  })

  test('does without the files of a process that it may not read', async () => {
    proc.addProcess({ pid: 10, comm: 'redis-server', sockets: [100] })
    proc.setSockets(1, [listener(6379, 100)])
    for (const name of ['exe', 'stat', 'ns/net']) rmSync(join(proc.path, '10', name))
    expect(await scan()).toEqual(['10/0 redis name 127.0.0.1:6379'])
  })
})

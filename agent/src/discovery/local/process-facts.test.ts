import { expect, test } from 'vitest'
import { ProcFiles } from './proc-files.ts'
import { findContainerId, findSystemdUnit, hideSecrets, readProcessFacts } from './process-facts.ts'
import { Scanner } from './scanner.ts'
import { FakeProc } from './testkit/fake-proc.ts'

const id = 'a1b2c3d4'.repeat(8)

test.each([
  ['0::/system.slice/nginx.service\n', '', 'nginx.service'],
  [`0::/system.slice/docker-${id}.scope\n`, id, ''],
  [`12:pids:/docker/${id}\n0::/\n`, id, ''],
  [`0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-${id}.scope\n`, id, ''],
  [`1:name=systemd:/kubepods/besteffort/pod1234/${id}\n`, id, ''],
  ['0::/user.slice/user-1000.slice/user@1000.service/app.slice/redis.service\n', '', 'redis.service'],
  ['0::/\n', '', ''],
])('reads container and unit of %j', (cgroup, containerId, unit) => {
  expect([findContainerId(cgroup), findSystemdUnit(cgroup)]).toEqual([containerId, unit])
})

test('what looks like a secret is left out of the command line', () => {
  const args = [
    'x',
    '--port',
    '1',
    '--requirepass',
    'hunter2',
    '--password=hunter2',
    '--redis.addr=redis://u:hunter2@h:1',
    '--auth',
    '--tls',
    '-v',
  ]
  const shown = hideSecrets(args).join(' ')
  expect(shown).not.toContain('hunter2')
  expect(shown).toBe('x --port 1 --requirepass <secret> --password=<secret> --redis.addr=redis://<secret>@h:1 --auth --tls -v')
})

test('tells all that may be known of a process', async () => {
  const proc = new FakeProc()
  const cmdline = ['/usr/sbin/mysqld', '--port=1']
  proc.addProcess({
    pid: 10,
    comm: 'mysqld',
    exe: '/usr/sbin/mysqld',
    cmdline,
    sockets: [100],
    netns: 7,
    root: '/',
    cgroup: `0::/docker/${id}\n`,
  })
  proc.setSockets(10, [{ host: '127.0.0.1', port: 1, inode: 100 }])
  const { services } = await new Scanner(proc.path).scan()
  const facts = await readProcessFacts(new ProcFiles(proc.path), services[0]!)
  expect(facts).toMatchObject({
    exe: '/usr/sbin/mysqld',
    cmdline: '/usr/sbin/mysqld --port=1',
    uid: String(process.getuid?.()),
    containerId: id,
    netns: 'net:[7]',
    rootPath: `${proc.path}/10/root`,
    isOptedOut: false,
  })
  expect(services[0]!.startTimeMs).toBe(1_700_000_005_000)
  proc.remove()
})

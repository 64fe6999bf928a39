import { readInventory } from '@narthex/exporter-kit/inventory'
import { findProgram } from '@narthex/test/kit/packages'
import { startDocker, type Service } from '@narthex/test/kit/services'
import { waitFor } from '@narthex/test/kit/process'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ContainerExporter } from './container-exporter.ts'
import { createTestExporter, parseText, scrapeText, valuesBy } from './test-exporter.ts'

let service: Service
let exporter: ContainerExporter
const blockDevice = findBlockDevice()

function docker(...args: string[]): string {
  const ran = spawnSync(findProgram('docker')!, ['-H', `unix://${service.directory}/docker.sock`, ...args], { encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(`cannot run docker ${args.join(' ')}: ${ran.stderr}`)
  return ran.stdout.trim()
}

function run(name: string, ...options: string[]): string {
  return docker('run', '--detach', '--name', name, ...options, 'box:1', '/bin/busybox', 'sleep', '600')
}

/** The disk below the root file system. */
function findBlockDevice(): string | undefined {
  const root = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => line.split(' ')[4] === '/')
  const device = root?.split(' - ')[1]?.split(' ')[1]
  return device?.startsWith('/dev/') === true ? device : undefined
}

beforeAll(async () => {
  service = await startDocker()
  const root = join(service.directory, 'root')
  mkdirSync(join(root, 'bin'), { recursive: true })
  copyFileSync(realpathSync(findProgram('busybox')!), join(root, 'bin', 'busybox'))
  symlinkSync('busybox', join(root, 'bin', 'sh'))
  const archive = join(service.directory, 'root.tar')
  if (spawnSync('tar', ['-C', root, '-cf', archive, '.']).status !== 0) throw new Error('cannot make an image')
  docker('import', archive, 'box:1')
  docker('network', 'create', '--subnet', '10.231.8.0/24', 'shop')
  const limits = ['--cpus', '0.5', '--memory', '64m', '--cpu-shares', '512']
  // Without a limit of its own version 1 counts no transfers.
  const throttle = blockDevice === undefined ? [] : ['--device-write-bps', `${blockDevice}:1gb`]
  const health = ['--health-cmd', 'true', '--health-interval', '1s']
  run('web', '--network', 'shop', '--label', 'my-app=x', '--env', 'SHOP_NAME=front', ...limits, ...throttle, ...health)
  run('sidecar', '--network', 'container:web')
  run('alone', '--network', 'none')
  docker('exec', 'web', '/bin/busybox', 'dd', 'if=/dev/zero', 'of=/big', 'bs=1M', 'count=4', 'oflag=direct', 'conv=fsync')
  exporter = createTestExporter({ docker: `unix://${service.directory}/docker.sock`, env_metadata_whitelist: 'SHOP_' })
}, 180_000)

afterAll(async () => {
  await exporter.close()
  const names = docker('ps', '--all', '--quiet').split('\n').filter(Boolean)
  if (names.length > 0) docker('rm', '--force', ...names)
  docker('network', 'rm', 'shop')
  await service.stop()
}, 120_000)

test('the containers of a real daemon have their names, labels, limits and figures', { timeout: 60_000 }, async () => {
  let text = ''
  await waitFor('the container to be healthy', async () => {
    text = await scrapeText(exporter)
    return valuesBy(text, 'container_health_state', 'name')['web'] === 1
  })
  const labels = ['name', 'image', 'container_label_my_app', 'container_env_shop_name']
  expect(Object.keys(valuesBy(text, 'container_memory_rss', ...labels))).toEqual(
    expect.arrayContaining(['web,box:1,x,front', 'sidecar,box:1,,', 'alone,box:1,,', ',,,']),
  )
  expect(valuesBy(text, 'container_spec_memory_limit_bytes', 'name')).toMatchObject({ web: 64 * 2 ** 20, sidecar: 0, alone: 0 })
  expect(valuesBy(text, 'container_spec_cpu_quota', 'name')).toEqual({ web: 50_000 })
  expect(valuesBy(text, 'container_memory_usage_bytes', 'name')['web']).toBeGreaterThan(4096)
  const started = valuesBy(text, 'container_start_time_seconds', 'name')['web']
  expect(started).toBe(Math.floor(Date.parse(docker('inspect', '--format', '{{.State.StartedAt}}', 'web')) / 1000))
  const received = valuesBy(text, 'container_network_receive_packets_total', 'name', 'interface')
  expect(Object.keys(received).filter((key) => !key.startsWith(','))).toEqual(['web,eth0'])
})

test('figures are those of the kernel', { timeout: 60_000 }, async () => {
  const id = docker('inspect', '--format', '{{.Id}}', 'web')
  const processId = docker('inspect', '--format', '{{.State.Pid}}', 'web')
  // A container that is paused stands still.
  docker('pause', 'web')
  try {
    const received = (): number => Number(/eth0:\s*(\d+)/.exec(readFileSync(`/proc/${processId}/net/dev`, 'utf8'))![1])
    const receivedBefore = received()
    const text = await scrapeText(exporter)
    const lines = readFileSync(`/proc/${processId}/cgroup`, 'utf8').split('\n')
    const isUnified = lines.some((line) => line.startsWith('0::') && line.includes(id)) && lines.filter(Boolean).length === 1
    const directory = (controller: string): string =>
      isUnified
        ? `/sys/fs/cgroup${lines.find((line) => line.startsWith('0::'))!.slice(3)}`
        : `/sys/fs/cgroup/${controller}${lines.find((line) => line.split(':')[1] === controller)!.split(':')[2]!}`
    const numberIn = (controller: string, name: string, key?: string): number => {
      const content = readFileSync(`${directory(controller)}/${name}`, 'utf8')
      return Number(key === undefined ? content : new RegExp(`^${key} (\\d+)$`, 'm').exec(content)![1])
    }
    const [rss, usage] = isUnified
      ? [numberIn('memory', 'memory.stat', 'anon'), numberIn('memory', 'memory.current')]
      : [numberIn('memory', 'memory.stat', 'total_rss'), numberIn('memory', 'memory.usage_in_bytes')]
    expect(valuesBy(text, 'container_memory_rss', 'name')['web']).toBe(rss)
    expect(valuesBy(text, 'container_memory_usage_bytes', 'name')['web']).toBe(usage)
    expect(valuesBy(text, 'container_cpu_cfs_periods_total', 'name')['web']).toBe(numberIn('cpu', 'cpu.stat', 'nr_periods'))
    const seconds = isUnified ? numberIn('cpu', 'cpu.stat', 'usage_usec') / 1e6 : numberIn('cpuacct', 'cpuacct.usage') / 1e9
    const shown = Object.entries(valuesBy(text, 'container_cpu_usage_seconds_total', 'name', 'cpu')).filter(([key]) =>
      key.startsWith('web,'),
    )
    expect(shown.reduce((sum, [, value]) => sum + value, 0)).toBeCloseTo(seconds, 6)
    const receivedAfter = received()
    const shownReceived = valuesBy(text, 'container_network_receive_bytes_total', 'name')['web']
    // Others on its network talk on.
    expect(shownReceived).toBeGreaterThanOrEqual(receivedBefore)
    expect(shownReceived).toBeLessThanOrEqual(receivedAfter)
  } finally {
    docker('unpause', 'web')
  }
})

test('every family that cAdvisor has by default and this machine can have is there', { timeout: 60_000 }, async () => {
  const names = new Set(parseText(await scrapeText(exporter)).keys())
  const wanted = readInventory('container')!.filter(({ collector, isDefault }) => isDefault && collector !== 'self.go')
  const missing = wanted.map(({ metric }) => metric).filter((metric) => !names.has(metric))
  // Of memory modules only the kernel's drivers for error detection know, of I/O costs only version 2 with that controller.
  const byHardware = /^machine_dimm_|^container_fs_io_cost_/
  const withoutDisk = blockDevice === undefined ? /^container_(blkio_device_usage_total|fs_(reads|writes)_bytes_total)$/ : /^$/
  expect(missing.filter((metric) => !byHardware.test(metric) && !withoutDisk.test(metric))).toEqual([])
})

test('containerd beneath tells of containers whose cgroup no engine claims', { timeout: 60_000 }, async () => {
  const id = run('free', '--network', 'none', '--cgroup-parent', '/narthex-test', '--env', 'SHOP_NAME=back')
  const below = createTestExporter({
    containerd: `${service.directory}/exec/containerd/containerd.sock`,
    'containerd-namespace': 'moby',
    env_metadata_whitelist: 'SHOP_',
  })
  const text = await scrapeText(below)
  await below.close()
  expect(valuesBy(text, 'container_memory_rss', 'id', 'name', 'container_env_SHOP_NAME')).toHaveProperty([`/narthex-test/${id},${id},back`])
  expect(text).toContain('container_label_com_docker_engine_bundle_path="')
})

test('a container that stops or starts again is told of, and its series end', { timeout: 60_000 }, async () => {
  const before = await scrapeText(exporter)
  const eventsBefore = valuesBy(before, 'narthex_container_events_total', 'name', 'event')
  docker('restart', '--time', '0', 'alone')
  docker('kill', 'sidecar')
  docker('run', '--name', 'job', '--network', 'none', 'box:1', '/bin/sh', '-c', 'exit 0')
  spawnSync(findProgram('docker')!, [
    '-H',
    `unix://${service.directory}/docker.sock`,
    'run',
    '--name',
    'bad',
    '--network',
    'none',
    'box:1',
    '/bin/sh',
    '-c',
    'exit 3',
  ])
  let text = ''
  await waitFor('the events', async () => {
    text = await scrapeText(exporter)
    const counts = valuesBy(text, 'narthex_container_events_total', 'name', 'event')
    return counts['bad,stop'] === 1 && counts['alone,start'] === eventsBefore['alone,start']! + 1
  })
  const counts = valuesBy(text, 'narthex_container_events_total', 'name', 'event')
  expect(counts).toMatchObject({ 'alone,restart': 1, 'alone,stop': 1, 'sidecar,stop': 1, 'job,start': 1, 'job,stop': 1, 'bad,start': 1 })
  expect(valuesBy(text, 'narthex_container_exit_code', 'name')).toEqual({ sidecar: 137, job: 0, bad: 3 })
  const shown = valuesBy(text, 'container_memory_rss', 'name')
  expect(shown).not.toHaveProperty('sidecar')
  expect(shown).toHaveProperty('alone')
  expect(valuesBy(text, 'container_start_time_seconds', 'name')['alone']).toBe(
    Math.floor(Date.parse(docker('inspect', '--format', '{{.State.StartedAt}}', 'alone')) / 1000),
  )
})

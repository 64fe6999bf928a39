import { findProgram } from '@narthex/test/kit/packages'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '@narthex/test/kit/process'
import { createTestExporter, scrapeText, valuesBy } from './test-exporter.ts'

// A tree of version 2 that the kernel itself makes: beside version 1 it has no controllers, but times, pressure and processes.

const id = `${process.pid.toString(16).padStart(8, '0')}${'0'.repeat(56)}`
let root: string
let cgroup: string
let child: ChildProcess

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'narthex-cgroup2-'))
  mkdirSync(join(root, 'proc/self'), { recursive: true })
  mkdirSync(join(root, 'cgroup'))
  writeFileSync(join(root, 'proc/self/mountinfo'), '31 24 0:28 / /cgroup rw - cgroup2 cgroup2 rw\n')
  writeFileSync(join(root, 'proc/meminfo'), 'MemTotal: 1000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n')
  const mounted = spawnSync(findProgram('mount')!, ['-t', 'cgroup2', 'none', join(root, 'cgroup')], { encoding: 'utf8' })
  if (mounted.status !== 0) throw new Error(`cannot mount cgroup2: want to be root, got ${mounted.stderr}`)
  cgroup = join(root, 'cgroup', `docker-${id}.scope`)
  mkdirSync(cgroup)
  child = spawn(process.execPath, ['-e', 'for (;;);'])
  writeFileSync(join(cgroup, 'cgroup.procs'), String(child.pid))
})

afterAll(async () => {
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
  await waitFor('the cgroup to be empty', () => {
    rmdirSync(cgroup)
    return true
  })
  spawnSync(findProgram('umount')!, [join(root, 'cgroup')])
  rmSync(root, { recursive: true, force: true })
})

test('a real cgroup of version 2 has the figures of the kernel', { timeout: 60_000 }, async () => {
  const usageMicroseconds = (): number => Number(/^usage_usec (\d+)$/m.exec(readFileSync(join(cgroup, 'cpu.stat'), 'utf8'))![1])
  await waitFor('the process to have worked', () => usageMicroseconds() > 100_000)
  writeFileSync(join(cgroup, 'cgroup.freeze'), '1')
  await waitFor('the process to stand still', () => readFileSync(join(cgroup, 'cgroup.events'), 'utf8').includes('frozen 1'))
  const exporter = createTestExporter({ enable_metrics: 'cpu,percpu,pressure,process,memory' }, { root })
  const text = await scrapeText(exporter)
  await exporter.close()
  const path = `/docker-${id}.scope`
  expect(valuesBy(text, 'container_cpu_usage_seconds_total', 'id', 'cpu')[`${path},total`]).toBe(usageMicroseconds() / 1e6)
  expect(valuesBy(text, 'container_processes', 'id')[path]).toBe(1)
  const pressure = /^some .* total=(\d+)$/m.exec(readFileSync(join(cgroup, 'cpu.pressure'), 'utf8'))![1]
  expect(valuesBy(text, 'container_pressure_cpu_waiting_seconds_total', 'id')[path]).toBe(Number(pressure) / 1e6)
  expect(valuesBy(text, 'container_last_seen', 'id', 'name')).toHaveProperty([`${path},${id}`])
  writeFileSync(join(cgroup, 'cgroup.freeze'), '0')
})

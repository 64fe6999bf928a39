import { findProgram } from '@narthex/test/kit/packages'
import { podmanFlags, startPodman, type Service } from '@narthex/test/kit/services'
import { waitFor } from '@narthex/test/kit/process'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ContainerExporter } from './container-exporter.ts'
import { createTestExporter, scrapeText, valuesBy } from './test-exporter.ts'

let service: Service
let exporter: ContainerExporter

/** Gives the exit code to the test: a container's own is Podman's. */
function podman(...args: string[]): { readonly status: number | null; readonly text: string } {
  const ran = spawnSync(findProgram('podman')!, [...podmanFlags(service.directory), ...args], { encoding: 'utf8' })
  return { status: ran.status, text: ran.status === 0 ? ran.stdout.trim() : ran.stderr }
}

// The limits that Podman sets by itself are above what a container without privileges may have.
const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=512:512']

function run(name: string, ...options: string[]): void {
  const ran = podman('run', '--detach', '--name', name, ...limits, ...options, 'box:1', '/bin/busybox', 'sleep', '600')
  if (ran.status !== 0) throw new Error(`cannot run a container of Podman: ${ran.text}`)
}

beforeAll(async () => {
  service = await startPodman()
  const root = join(service.directory, 'image')
  mkdirSync(join(root, 'bin'), { recursive: true })
  copyFileSync(realpathSync(findProgram('busybox')!), join(root, 'bin', 'busybox'))
  symlinkSync('busybox', join(root, 'bin', 'sh'))
  const archive = join(service.directory, 'image.tar')
  if (spawnSync('tar', ['-C', root, '-cf', archive, '.']).status !== 0) throw new Error('cannot make an image')
  const imported = podman('import', archive, 'box:1')
  if (imported.status !== 0) throw new Error(`cannot make an image: ${imported.text}`)
  run('cellar', '--network', 'none', '--label', 'my-app=y', '--env', 'SHOP_NAME=back', '--memory', '32m')
  exporter = createTestExporter({ podman: `unix://${service.directory}/podman.sock`, env_metadata_whitelist: 'SHOP_' })
}, 120_000)

afterAll(async () => {
  await exporter.close()
  podman('rm', '--force', '--all', '--time', '0')
  await service.stop()
}, 60_000)

test('the containers of a real Podman have their names, labels and limits, and their ends are told of', { timeout: 60_000 }, async () => {
  const text = await scrapeText(exporter)
  const labels = ['name', 'image', 'container_label_my_app', 'container_env_shop_name']
  expect(valuesBy(text, 'container_memory_usage_bytes', ...labels)['cellar,localhost/box:1,y,back']).toBeGreaterThan(4096)
  expect(valuesBy(text, 'container_spec_memory_limit_bytes', 'name')['cellar']).toBe(32 * 2 ** 20)
  expect(valuesBy(text, 'container_health_state', 'name')['cellar']).toBe(-1)
  const started = podman('inspect', '--format', '{{.State.StartedAt.Unix}}', 'cellar').text
  expect(valuesBy(text, 'container_start_time_seconds', 'name')['cellar']).toBe(Number(started))

  expect(podman('run', '--name', 'job', '--network', 'none', ...limits, 'box:1', '/bin/sh', '-c', 'exit 3').status).toBe(3)
  podman('kill', 'cellar')
  let after = ''
  await waitFor('the events', async () => {
    after = await scrapeText(exporter)
    const counts = valuesBy(after, 'narthex_container_events_total', 'name', 'event')
    return counts['job,stop'] === 1 && counts['cellar,stop'] === 1
  })
  expect(valuesBy(after, 'narthex_container_events_total', 'name', 'event')).toMatchObject({ 'job,start': 1, 'cellar,start': 0 })
  expect(valuesBy(after, 'narthex_container_exit_code', 'name')).toMatchObject({ job: 3 })
  // Podman keeps the cgroup of a container until it removes it.
  podman('rm', 'cellar')
  expect(valuesBy(await scrapeText(exporter), 'container_memory_rss', 'name')).not.toHaveProperty('cellar')
})

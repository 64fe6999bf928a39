import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { findProgram } from '@narthex/test/kit/packages'
import { startDocker, type Service } from '@narthex/test/kit/services'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { createDockerDiscoverer } from './docker.ts'
import { RecordedDiscovery } from './testkit/recorded-discovery.ts'
import { until } from './testkit/stub-server.ts'

let service: Service
let recorded: RecordedDiscovery

function docker(...args: string[]): string {
  const ran = spawnSync(findProgram('docker')!, ['-H', `unix://${service.directory}/docker.sock`, ...args], { encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(`cannot run docker ${args.join(' ')}: ${ran.stderr}`)
  return ran.stdout.trim()
}

function run(name: string, ...options: string[]): void {
  docker('run', '--detach', '--name', name, ...options, 'box:1', '/bin/busybox', 'sleep', '600')
}

beforeAll(async () => {
  service = await startDocker()
  const root = join(service.directory, 'root')
  mkdirSync(join(root, 'bin'), { recursive: true })
  copyFileSync(realpathSync(findProgram('busybox')!), join(root, 'bin', 'busybox'))
  const archive = join(service.directory, 'root.tar')
  if (spawnSync('tar', ['-C', root, '-cf', archive, '.']).status !== 0) throw new Error('cannot make an image')
  docker('import', archive, 'box:1')
  docker('network', 'create', '--label', 'com.tier=front', '--subnet', '10.231.7.0/24', 'shop')
}, 90_000)

afterAll(async () => {
  recorded.stop()
  const names = docker('ps', '--all', '--quiet').split('\n').filter(Boolean)
  if (names.length > 0) docker('rm', '--force', ...names)
  docker('network', 'rm', 'shop')
  await service.stop()
}, 60_000)

test('finds the containers of a real daemon as they come and go', { timeout: 60_000 }, async () => {
  run('web', '--network', 'shop', '--ip', '10.231.7.10', '--expose', '9100', '--label', 'my-app=x')
  run('sidecar', '--network', 'container:web')
  run('hosted', '--network', 'host')
  run('alone', '--network', 'none')
  recorded = new RecordedDiscovery(new FakeClock())
  recorded.start(
    createDockerDiscoverer(
      {
        mechanism: 'docker',
        host: `unix://${service.directory}/docker.sock`,
        port: 80,
        filters: [],
        hostNetworkingHost: 'localhost',
        matchFirstNetwork: true,
        refreshIntervalMs: 60_000,
        http: defaultHttpClientConfig,
      },
      recorded.context,
    ),
  )
  await until(() => recorded.updates === 1)
  expect(recorded.addresses()).toEqual(['10.231.7.10:80', '10.231.7.10:9100', 'localhost'])
  expect(recorded.targets()[1]).toEqual({
    __address__: '10.231.7.10:9100',
    __meta_docker_container_id: docker('inspect', '--format', '{{.Id}}', 'web'),
    __meta_docker_container_name: '/web',
    __meta_docker_container_image: 'box:1',
    __meta_docker_container_image_id: docker('inspect', '--format', '{{.Image}}', 'web'),
    __meta_docker_container_network_mode: 'shop',
    __meta_docker_container_label_my_app: 'x',
    __meta_docker_network_id: docker('network', 'inspect', '--format', '{{.Id}}', 'shop'),
    __meta_docker_network_name: 'shop',
    __meta_docker_network_scope: 'local',
    __meta_docker_network_internal: 'false',
    __meta_docker_network_ingress: 'false',
    __meta_docker_network_label_com_tier: 'front',
    __meta_docker_network_ip: '10.231.7.10',
    __meta_docker_port_private: '9100',
  })
  docker('rm', '--force', 'sidecar', 'hosted')
  await recorded.clock.advance(60_000)
  await until(() => recorded.updates === 2)
  expect(recorded.addresses()).toEqual(['10.231.7.10:9100'])
})

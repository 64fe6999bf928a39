import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../kit/packages.ts'
import { startDocker, type Service } from '../kit/services.ts'

/** A dockerd of its own with `count` containers that sleep, each with a limit, labels and a network namespace; `stop` removes them. */
export async function startContainers(count: number): Promise<Service> {
  const service = await startDocker()
  const stop = async (): Promise<void> => {
    const names = docker(service, 'ps', '--all', '--quiet').split('\n').filter(Boolean)
    if (names.length > 0) docker(service, 'rm', '--force', ...names)
    await service.stop()
  }
  try {
    importBusybox(service)
    const limits = ['--cpus', '0.5', '--memory', '64m']
    for (let i = 0; i < count; i++) {
      const name = `bench-${i}`
      docker(
        service,
        'run',
        '--detach',
        '--name',
        name,
        '--network',
        'none',
        '--label',
        `app=${name}`,
        ...limits,
        'box:1',
        '/bin/busybox',
        'sleep',
        '3600',
      )
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { ...service, stop }
}

function importBusybox(service: Service): void {
  const root = join(service.directory, 'root')
  mkdirSync(join(root, 'bin'), { recursive: true })
  copyFileSync(realpathSync(findProgram('busybox')!), join(root, 'bin', 'busybox'))
  symlinkSync('busybox', join(root, 'bin', 'sh'))
  const archive = join(service.directory, 'root.tar')
  if (spawnSync('tar', ['-C', root, '-cf', archive, '.']).status !== 0) throw new Error(`cannot pack ${root}`)
  docker(service, 'import', archive, 'box:1')
}

function docker(service: Service, ...args: string[]): string {
  const { status, stderr, stdout } = spawnSync(findProgram('docker')!, ['-H', `unix://${service.directory}/docker.sock`, ...args], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`cannot run docker ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}

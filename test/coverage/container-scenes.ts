import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../kit/packages.ts'
import { startDocker, type Service } from '../kit/services.ts'
import type { Scene } from './assess.ts'
import { playScene } from './scene.ts'

/** A Docker of its own with a container that has limits, a network, a health check and has written to the disk. */
export async function playContainerScenes(): Promise<Scene[]> {
  const docker = await startDocker()
  try {
    importImage(docker)
    const limits = ['--cpus=0.5', '--memory=64m', '--cpu-shares=512']
    // Without a limit of its own version 1 of control groups counts no transfers.
    const device = findBlockDevice()
    const throttle = device === undefined ? [] : [`--device-write-bps=${device}:1gb`]
    ask(docker, 'network', 'create', '--subnet=10.231.9.0/24', 'coverage')
    const options = ['--detach', '--name=web', '--network=coverage', '--health-cmd=true', '--health-interval=1s', ...limits, ...throttle]
    ask(docker, 'run', ...options, 'box:1', '/bin/busybox', 'sleep', '600')
    ask(docker, 'exec', 'web', '/bin/busybox', 'dd', 'if=/dev/zero', 'of=/big', 'bs=1M', 'count=4', 'oflag=direct', 'conv=fsync')
    const flags = [`--docker=unix://${docker.directory}/docker.sock`]
    return [await playScene({ name: 'Docker', isDefault: true, exporter: 'container', flags })]
  } finally {
    spawnSync(findProgram('docker')!, ['-H', socketOf(docker), 'rm', '--force', 'web'])
    spawnSync(findProgram('docker')!, ['-H', socketOf(docker), 'network', 'rm', 'coverage'])
    await docker.stop()
  }
}

/** Why this machine cannot have a family of cAdvisor. */
export function reasonAgainstContainerFamily(name: string): string | undefined {
  if (name.startsWith('machine_dimm_') && !existsSync('/sys/devices/system/edac/mc/mc0')) {
    return 'no driver for errors of memory modules'
  }
  if (name.startsWith('container_fs_io_cost_') && !existsSync('/sys/fs/cgroup/io.cost.model'))
    return 'no control group of version 2 with io.cost'
  if (/^container_(blkio_device_usage|fs_(reads|writes)_bytes)_total$/.test(name) && findBlockDevice() === undefined) {
    return 'no block device below the root file system'
  }
  return undefined
}

/** An image that holds one program. */
function importImage(docker: Service): void {
  const root = join(docker.directory, 'image')
  mkdirSync(join(root, 'bin'), { recursive: true })
  copyFileSync(realpathSync(findProgram('busybox')!), join(root, 'bin', 'busybox'))
  symlinkSync('busybox', join(root, 'bin', 'sh'))
  const archive = join(docker.directory, 'image.tar')
  if (spawnSync('tar', ['-C', root, '-cf', archive, '.']).status !== 0) throw new Error('cannot make an image')
  ask(docker, 'import', archive, 'box:1')
}

function ask(docker: Service, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(findProgram('docker')!, ['-H', socketOf(docker), ...args], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`cannot run docker ${args.join(' ')}: ${stderr}`)
}

function socketOf({ directory }: Service): string {
  return `unix://${directory}/docker.sock`
}

function findBlockDevice(): string | undefined {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  const device = mounts
    .find((line) => line.split(' ')[4] === '/')
    ?.split(' - ')[1]
    ?.split(' ')[1]
  return device?.startsWith('/dev/') === true ? device : undefined
}

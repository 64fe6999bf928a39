import { parseMountInfo, type Mount } from '@narthex/exporter-kit/mount-info'
import { findRiskyMounts } from '@narthex/exporter-kit/mount-risk'
import { closeSync, constants, openSync } from 'node:fs'
import { basename } from 'node:path'
import type { BtrfsDevice } from './btrfs-filesystem.ts'
import type { NodeEnvironment } from './environment.ts'
import { KernelCalls, type LoadSystemCalls } from './kernel-calls.ts'
import type { SystemCalls } from './netlink/system-calls.ts'

type Ioctl = SystemCalls['ioctl']

// Requests and structures of <linux/btrfs.h>; the second number of each is its size.
const filesystemInfo = { request: 0x8400_941f, bytes: 1024 }
const deviceInfo = { request: 0xd000_941e, bytes: 4096 }
const deviceStatistics = { request: 0xc408_9434, bytes: 1032 }
/** Of `deviceStatistics`, in the kernel's order. */
const errorTypes = ['write', 'read', 'flush', 'corruption', 'generation']
/** Device numbers are given out in turn and never again: with more gaps than this the rest is left out. */
const deviceNumbersMax = 4096

/**
 * Devices of the mounted Btrfs file systems, asked by ioctl(2), which needs no privilege but a mount point that may be opened. A mount
 * whose path lookup may hang is not touched.
 */
export class BtrfsDeviceReader {
  readonly #environment: NodeEnvironment
  readonly #calls: KernelCalls

  constructor(environment: NodeEnvironment, loadCalls?: LoadSystemCalls) {
    this.#environment = environment
    this.#calls = new KernelCalls('btrfs', environment.log, loadCalls)
  }

  /** By the file system's identity (32 hexadecimal digits); without those that do not answer. */
  read(): ReadonlyMap<string, readonly BtrfsDevice[]> {
    const filesystems = new Map<string, readonly BtrfsDevice[]>()
    const ioctl = this.#calls.find()?.ioctl
    if (ioctl === undefined) return filesystems
    // One file system may be mounted in many places, containers in each.
    const sources = new Set<string>()
    for (const mount of this.#listMounts()) {
      if (sources.has(mount.device)) continue
      try {
        const found = readDevices(ioctl, this.#environment.rootfsPath(this.#environment.stripRootfs(mount.pathBytes)), filesystems)
        if (found !== undefined) filesystems.set(found.id, found.devices)
        sources.add(mount.device)
      } catch (error) {
        this.#environment.log.debug('cannot ask for btrfs devices', { mountpoint: mount.path, err: error })
      }
    }
    return filesystems
  }

  #listMounts(): Mount[] {
    const { files } = this.#environment
    const bytes =
      files.readIfThere(this.#environment.procPath('1/mountinfo')) ?? files.readIfThere(this.#environment.procPath('self/mountinfo'))
    if (bytes === undefined) return []
    const mounts = parseMountInfo(bytes)
    const risks = findRiskyMounts(mounts)
    return mounts.filter(({ fsType }, index) => fsType === 'btrfs' && !risks[index])
  }
}

/** Undefined for a file system that is known. Throws if the kernel does not answer. */
function readDevices(
  ioctl: Ioctl,
  pathBytes: string,
  known: ReadonlyMap<string, unknown>,
): { readonly id: string; readonly devices: readonly BtrfsDevice[] } | undefined {
  const descriptor = openSync(Buffer.from(pathBytes, 'latin1'), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    // ┌ highest device number 8 B ┬ devices 8 B ┬ identity 16 B ┬ … ┐
    const info = ask(ioctl, descriptor, filesystemInfo, 0)
    const id = info.toString('hex', 16, 32)
    if (known.has(id)) return undefined
    const numberMax = Math.min(Number(info.readBigUInt64LE(0)), deviceNumbersMax)
    const count = Number(info.readBigUInt64LE(8))
    const devices: BtrfsDevice[] = []
    for (let number = 0; number <= numberMax && devices.length < count; number++) {
      const device = readDevice(ioctl, descriptor, number)
      if (device !== undefined) devices.push(device)
    }
    return { id, devices }
  } finally {
    closeSync(descriptor)
  }
}

/** Undefined for a number that no device has. */
function readDevice(ioctl: Ioctl, descriptor: number, number: number): BtrfsDevice | undefined {
  let info: Buffer
  try {
    // ┌ number 8 B ┬ identity 16 B ┬ bytes allocated 8 B ┬ bytes 8 B ┬ … ┬ path, from 3,072 on, ended by a zero ┐
    info = ask(ioctl, descriptor, deviceInfo, number)
  } catch {
    return undefined
  }
  // ┌ number 8 B ┬ counts wanted 8 B ┬ flags 8 B ┬ counts 8 B each ┐
  const statistics = ask(ioctl, descriptor, deviceStatistics, number, errorTypes.length)
  const size = info.readBigUInt64LE(32)
  const pathEnd = info.indexOf(0, 3072)
  return {
    name: basename(info.toString('utf8', 3072, pathEnd < 0 ? info.length : pathEnd)),
    uuid: info.toString('hex', 8, 24).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    sizeBytes: Number(size),
    unusedBytes: Number(size - info.readBigUInt64LE(24)),
    errors: errorTypes.map((type, index) => [type, Number(statistics.readBigUInt64LE(24 + 8 * index))]),
  }
}

function ask(ioctl: Ioctl, descriptor: number, { request, bytes }: typeof deviceInfo, number: number, wanted = 0): Buffer {
  const buffer = Buffer.alloc(bytes)
  buffer.writeBigUInt64LE(BigInt(number), 0)
  buffer.writeBigUInt64LE(BigInt(wanted), 8)
  if (ioctl(descriptor, request, buffer) < 0)
    throw new Error(`cannot ask the file system: ioctl ${request.toString(16)} failed for device ${number}`)
  return buffer
}

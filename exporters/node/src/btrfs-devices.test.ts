import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import { createLogger, silentLogger } from '@narthex/service/logger'
import { mkdirSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BtrfsDeviceReader } from './btrfs-devices.ts'
import { NodeEnvironment, pathFlags } from './environment.ts'
import type { SystemCalls } from './netlink/system-calls.ts'
import { unpackSmallTree, type TestTrees } from './test-tree.ts'

type Ioctl = SystemCalls['ioctl']

const filesystemId = '0abb23a9579b43e6ad30227ef47fcb9d'

/** A kernel whose one file system has the given devices by number. */
function fakeKernel(devices: ReadonlyMap<number, { readonly path: string; readonly writeErrors: bigint }>): {
  ioctl: Ioctl
  requests: string[]
} {
  const requests: string[] = []
  const ioctl = (descriptor: number, request: number, bytes: Buffer): number => {
    const number = Number(bytes.readBigUInt64LE(0))
    requests.push(`${request.toString(16)} ${number}`)
    expect(descriptor).toBeGreaterThan(2)
    // The size that the kernel copies is a part of the request.
    expect(bytes.length).toBe((request >>> 16) & 0x3fff)
    if (request === 0x8400941f) {
      bytes.writeBigUInt64LE(BigInt(Math.max(...devices.keys())), 0)
      bytes.writeBigUInt64LE(BigInt(devices.size), 8)
      Buffer.from(filesystemId, 'hex').copy(bytes, 16)
      return 0
    }
    const device = devices.get(number)
    if (device === undefined) return -1
    if (request === 0xd000941e) {
      Buffer.from('6b3f4a1e0c554d399a6f5f1d2c3b4a59', 'hex').copy(bytes, 8)
      bytes.writeBigUInt64LE(600n, 24)
      bytes.writeBigUInt64LE(1000n, 32)
      bytes.write(device.path + '\0', 3072)
      return 0
    }
    expect(request).toBe(0xc4089434)
    expect(bytes.readBigUInt64LE(8)).toBe(5n)
    ;[device.writeErrors, 2n, 3n, 4n, 5n].forEach((count, index) => bytes.writeBigUInt64LE(count, 24 + 8 * index))
    return 0
  }
  return { ioctl, requests }
}

let trees: TestTrees
beforeEach(() => {
  trees = unpackSmallTree('/ proc/1\n/ sys\n')
})
afterEach(() => trees.remove())

function mount(...mounts: readonly (readonly [point: string, type: string, source: string])[]): void {
  const lines = mounts.map(([point, type, source], index) => {
    mkdirSync(`${trees.directory}/rootfs${point}`, { recursive: true })
    return `${index + 20} 1 0:${index} / ${trees.directory}/rootfs${point} rw - ${type} ${source} rw\n`
  })
  writeFileSync(`${trees.directory}/proc/1/mountinfo`, lines.join(''))
}

const createReader = (load: () => Ioctl, log = silentLogger): BtrfsDeviceReader =>
  new BtrfsDeviceReader(new NodeEnvironment(new FlagReader(pathFlags, trees.flags), log, () => 0), () => ({ ioctl: load() }) as SystemCalls)

const twoDevices = new Map([
  [2, { path: '/dev/mapper/luks-a', writeErrors: 7n }],
  [5, { path: '/dev/sdb', writeErrors: 0n }],
])

test('each device of a file system is asked once, whatever its number, and however often it is mounted', () => {
  const { ioctl, requests } = fakeKernel(twoDevices)
  mount(['/data', 'btrfs', '/dev/sda'], ['/home', 'btrfs', '/dev/sda'], ['/other', 'btrfs', '/dev/sdb'], ['/', 'ext4', '/dev/vda'])
  const found = createReader(() => ioctl).read()
  expect([...found.keys()]).toEqual([filesystemId])
  expect(found.get(filesystemId)).toEqual([
    {
      name: 'luks-a',
      uuid: '6b3f4a1e-0c55-4d39-9a6f-5f1d2c3b4a59',
      sizeBytes: 1000,
      unusedBytes: 400,
      errors: [
        ['write', 7],
        ['read', 2],
        ['flush', 3],
        ['corruption', 4],
        ['generation', 5],
      ],
    },
    expect.objectContaining({ name: 'sdb' }),
  ])
  expect(requests.filter((request) => request.startsWith('c4089434'))).toEqual(['c4089434 2', 'c4089434 5'])
  expect(requests.filter((request) => request.startsWith('8400941f'))).toHaveLength(2)
})

test('a mount that lies under one that may hang is not touched', () => {
  const { ioctl, requests } = fakeKernel(twoDevices)
  mount(['/net', 'nfs4', 'server:/'], ['/net/data', 'btrfs', '/dev/sda'])
  expect(createReader(() => ioctl).read().size).toBe(0)
  expect(requests).toEqual([])
})

test('a mount point that cannot be opened is tried at the next one of the file system', () => {
  const { ioctl } = fakeKernel(twoDevices)
  mount(['/data', 'btrfs', '/dev/sda'])
  const reader = createReader(() => ioctl)
  writeFileSync(`${trees.directory}/proc/1/mountinfo`, '20 1 0:1 / /no/such/place rw - btrfs /dev/sda rw\n')
  expect(reader.read().size).toBe(0)
  mount(['/gone', 'btrfs', '/dev/sda'], ['/data', 'btrfs', '/dev/sda'])
  expect(reader.read().size).toBe(1)
})

test('a kernel that refuses is asked again at the next scrape', () => {
  const { ioctl } = fakeKernel(twoDevices)
  let isRefused = true
  mount(['/data', 'btrfs', '/dev/sda'])
  const reader = createReader(
    () =>
      (...request) =>
        isRefused ? -1 : ioctl(...request),
  )
  expect(reader.read().size).toBe(0)
  isRefused = false
  expect(reader.read().size).toBe(1)
})

test('where foreign functions cannot be called nothing is asked, and the log says why once', () => {
  const lines: string[] = []
  mount(['/data', 'btrfs', '/dev/sda'])
  const reader = createReader(
    () => {
      throw new Error('cannot load the optional package')
    },
    createLogger({ write: (line) => void lines.push(line) }),
  )
  for (let round = 0; round < 3; round++) expect(reader.read().size).toBe(0)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('cannot load the optional package')
})

import { listSorted } from './attribute-reader.ts'
import type { NodeEnvironment } from './environment.ts'
import { listDirectories } from './list-directories.ts'
import { parseUdevProperties } from './udev-data.ts'

export interface BtrfsFilesystem {
  readonly uuid: string
  readonly label: string
  readonly globalReserveBytes: number
  readonly commits: { readonly count: number; readonly lastMs: number; readonly maxMs: number; readonly totalMs: number }
  readonly groups: readonly BtrfsGroup[]
  readonly devices: readonly BtrfsDevice[]
}

/** Block groups of one type: data, metadata, system. */
export interface BtrfsGroup {
  readonly type: string
  readonly reservedBytes: number
  readonly layouts: readonly {
    readonly mode: string
    readonly totalBytes: number
    readonly usedBytes: number
    readonly ratio: number
  }[]
  /** On the disks, all copies. */
  readonly allocatedBytes: number
}

export interface BtrfsDevice {
  readonly name: string
  /** Undefined if udev does not know it. */
  readonly uuid: string | undefined
  readonly sizeBytes: number
  /** Undefined where the kernel's files do not say. */
  readonly unusedBytes: number | undefined
  /** Counts by type of error; none where the kernel's files do not tell whose they are. */
  readonly errors: readonly (readonly [type: string, count: number])[]
}

const sectorBytes = 512

/** What /sys/fs/btrfs/UUID says (fs/btrfs/sysfs.c); what an older kernel lacks is 0. */
export function readFilesystem(environment: NodeEnvironment, directory: string, name: string): BtrfsFilesystem {
  const { attributes } = environment
  const number = (file: string): number => attributes.integer(`${directory}/${file}`) || 0
  const deviceNames = listSorted(`${directory}/devices`)
  const groups = ['data', 'metadata', 'system'].map((type) =>
    readGroup(environment, `${directory}/allocation/${type}`, type, deviceNames.length),
  )
  const uuid = attributes.text(`${directory}/metadata_uuid`) ?? ''
  const commits = readPairs(environment, `${directory}/commit_stats`)
  return {
    uuid: uuid === '' ? name : uuid,
    label: attributes.text(`${directory}/label`) ?? '',
    globalReserveBytes: number('allocation/global_rsv_size'),
    commits: {
      count: commits.get('commits') ?? 0,
      lastMs: commits.get('last_commit_ms') ?? 0,
      maxMs: commits.get('max_commit_ms') ?? 0,
      totalMs: commits.get('total_commit_ms') ?? 0,
    },
    groups,
    devices: readDevices(environment, directory, deviceNames, groups),
  }
}

function readGroup({ attributes }: NodeEnvironment, directory: string, type: string, deviceCount: number): BtrfsGroup {
  const number = (file: string): number => attributes.integer(`${directory}/${file}`) || 0
  const layouts = listDirectories(directory).map((mode) => ({
    mode,
    totalBytes: number(`${mode}/total_bytes`),
    usedBytes: number(`${mode}/used_bytes`),
    ratio: ratioOf(mode, deviceCount),
  }))
  return { type, reservedBytes: number('bytes_reserved'), layouts, allocatedBytes: number('disk_total') }
}

/** Copies (with parity, the share) that the mode keeps of each byte; 0 for a mode that is not known. */
function ratioOf(mode: string, deviceCount: number): number {
  if (mode === 'single' || mode === 'raid0') return 1
  if (mode === 'dup' || mode === 'raid1' || mode === 'raid10') return 2
  if (mode === 'raid1c3') return 3
  if (mode === 'raid1c4') return 4
  if (mode === 'raid5') return deviceCount / (deviceCount - 1)
  if (mode === 'raid6') return deviceCount / (deviceCount - 2)
  return 0
}

// As far as files tell; what ioctl(2) answers takes its place (btrfs-devices.ts). Identity comes from udev; errors and allocation stand in
// /sys, but by a number of the device that no file ties to its name. So they are shown where there is only one.
function readDevices(
  environment: NodeEnvironment,
  directory: string,
  names: readonly string[],
  groups: readonly BtrfsGroup[],
): BtrfsDevice[] {
  const { attributes } = environment
  const numbers = names.length === 1 ? listSorted(`${directory}/devinfo`) : []
  return names.map((name) => {
    const sizeBytes = (attributes.integer(`${directory}/devices/${name}/size`) || 0) * sectorBytes
    const errors = numbers.length === 1 ? readErrors(environment, `${directory}/devinfo/${numbers[0]}/error_stats`) : []
    const allocatedBytes = groups.reduce((sum, group) => sum + group.allocatedBytes, 0)
    return {
      name,
      uuid: readDeviceUuid(environment, `${directory}/devices/${name}/dev`),
      sizeBytes,
      unusedBytes: names.length === 1 && allocatedBytes > 0 ? sizeBytes - allocatedBytes : undefined,
      errors,
    }
  })
}

/** `write_errs 0`, `read_errs 0`, …: the type before the underscore. */
function readErrors(environment: NodeEnvironment, path: string): [string, number][] {
  return [...readPairs(environment, path)]
    .filter(([key]) => key.endsWith('_errs'))
    .map(([key, count]) => [key.slice(0, -'_errs'.length), count])
}

function readDeviceUuid(environment: NodeEnvironment, path: string): string | undefined {
  const numbers = environment.attributes.text(path)
  if (numbers === undefined || numbers === '') return undefined
  const text = environment.files.readIfThere(environment.udevDataPath(`b${numbers}`))?.toString('utf8') ?? ''
  return parseUdevProperties(text).get('ID_FS_UUID_SUB')
}

/** Lines of a key and a number; other lines are left out. */
function readPairs({ files }: NodeEnvironment, path: string): Map<string, number> {
  const pairs = new Map<string, number>()
  for (const line of (files.readTextIfThere(path) ?? '').split('\n')) {
    const match = /^(\w+) ([0-9]+)$/.exec(line.trim())
    if (match !== null) pairs.set(match[1]!, Number(match[2]))
  }
  return pairs
}

import type { Collector } from '@narthex/exporter-kit/collector'
import type { StatfsNumbers } from '@narthex/exporter-kit/statfs-helper'
import type { SpawnHelper } from '@narthex/exporter-kit/statfs-pool'
import type { Systeminformation } from 'systeminformation'
import { createMountFilters, createMountsCollector, type MountRow } from '../collect-filesystem.ts'
import { compareLabels } from '../compare-labels.ts'
import type { NodeEnvironment } from '../environment.ts'
import type { Machine } from './machine.ts'
import { SharedAnswer } from './shared-answer.ts'

/** Types of macOS whose statfs(2) answers from memory; any other may be a server's. */
const localTypes: ReadonlySet<string> = new Set(['apfs', 'hfs', 'msdos', 'exfat', 'ntfs', 'udf', 'cd9660', 'devfs', 'zfs'])
/** The library gives these three in capitals, where the system has them small. */
const renamedTypes: ReadonlySet<string> = new Set(['APFS', 'HFS', 'NFS'])

/** Asking the library starts three programs on macOS, two of which keep this process waiting. */
const mountsKeptMs = 60_000
/** On Windows the answer has the numbers in it. */
const numbersKeptMs = 1_000

/** Mounts from the library; on macOS the numbers from statfs(2), as the original, on Windows from the library, too. */
export function createFilesystemCollector(
  environment: NodeEnvironment,
  spawnHelper: SpawnHelper,
  { library, platform }: Machine,
): Collector {
  const filters = createMountFilters(environment.flags)
  const isWindows = platform === 'win32'
  const volumes = new SharedAnswer(async () => (await library()).fsSize(), isWindows ? numbersKeptMs : mountsKeptMs)

  function createRow(volume: Systeminformation.FsSizeData): MountRow | undefined {
    const { fs, mount, rw } = volume
    const type = renamedTypes.has(volume.type) ? volume.type.toLowerCase() : volume.type
    if (filters.mountPoints.isIgnored(mount) || filters.fsTypes.isIgnored(type)) return undefined
    const mountPoint = environment.stripRootfs(mount)
    return {
      // The library does not know it of a server's, and says no.
      isReadOnly: rw === false && (isWindows || fs.startsWith('/')),
      mayHang: !localTypes.has(type),
      labels: ['device', fs, 'device_error', '', 'fstype', type, 'mountpoint', mountPoint],
      infoLabels: ['device', fs, 'major', '', 'minor', '', 'mountpoint', mountPoint],
      pathBytes: Buffer.from(mount, 'utf8').toString('latin1'),
      ...(isWindows ? { numbers: numbersOf(volume) } : {}),
    }
  }

  const source = {
    read: async (): Promise<readonly MountRow[]> => {
      const rows = new Map<string, MountRow>()
      for (const volume of await volumes.get()) {
        const row = createRow(volume)
        if (row !== undefined) rows.set(row.labels.join('\0'), row)
      }
      return [...rows.values()].sort((a, b) => compareLabels(a.labels, b.labels))
    },
  }
  return createMountsCollector(environment, spawnHelper, source)
}

function numbersOf({ available, size }: Systeminformation.FsSizeData): StatfsNumbers {
  return { blockBytes: 1, blocks: size, blocksFree: available, blocksAvailable: available, files: NaN, filesFree: NaN }
}

import type { ByteScanner } from '@narthex/exporter-kit/byte-scanner'
import type { FileReader } from '@narthex/exporter-kit/file-reader'
import { parseMountInfo, type Mount } from '@narthex/exporter-kit/mount-info'
import { findRiskyMounts } from '@narthex/exporter-kit/mount-risk'
import { callStatfs, type StatfsNumbers } from '@narthex/exporter-kit/statfs-helper'
import type { PooledAnswer, StatfsPool } from '@narthex/exporter-kit/statfs-pool'
import type { HostPaths } from './host-paths.ts'

/** Figures of one filesystem. */
export interface Filesystem {
  readonly device: string
  readonly major: number
  readonly minor: number
  readonly limitBytes: number
  readonly usageBytes: number
  /** NaN where it is not known, as the free ones. */
  readonly inodes: number
  readonly inodesFree: number
  /** The 11 columns of /proc/diskstats behind the name; undefined without a disk. */
  readonly disk: Float64Array | undefined
}

/** Filesystems that are shown. */
const filesystemsMax = 1_000
const diskColumns = 11

const ownTypes: ReadonlySet<string> = new Set(
  'xfs squashfs f2fs jfs reiserfs hfs hfsplus ntfs ntfs3 vfat fat msdos exfat udf iso9660 btrfs zfs tmpfs nfs nfs4'.split(' '),
)

interface Row {
  readonly device: string
  readonly mount: Mount
  readonly mayHang: boolean
}

/** The machine's filesystems with a device of their own, each once: those of the root cgroup in cAdvisor. */
export class Filesystems {
  readonly #paths: HostPaths
  readonly #files: FileReader
  readonly #scanner: ByteScanner
  readonly #pool: StatfsPool
  #mountBytes: Buffer = Buffer.alloc(0)
  #rows: readonly Row[] = []

  constructor(paths: HostPaths, files: FileReader, scanner: ByteScanner, pool: StatfsPool) {
    this.#paths = paths
    this.#files = files
    this.#scanner = scanner
    this.#pool = pool
  }

  /**
   * What may hang is asked by helper processes; a filesystem that does not answer within `timeoutMs` is left out. Rejects for a list of
   * mounts that cannot be read.
   */
  async read(timeoutMs: number): Promise<Filesystem[]> {
    const rows = this.#readMounts()
    const disks = this.#readDisks()
    const answers: PooledAnswer[] = rows.map(() => 'timeout')
    const questions: Promise<void>[] = []
    rows.forEach(({ mayHang, mount }, index) => {
      const path = this.#paths.local(mount.pathBytes)
      if (!mayHang) answers[index] = callStatfs(path)
      else questions.push(this.#pool.ask(path).then((answer) => void (answers[index] = answer)))
    })
    if (questions.length > 0) await settleWithin(questions, timeoutMs)
    return rows.flatMap((row, index) => {
      const answer = answers[index]!
      return answer === 'timeout' || 'errorCode' in answer ? [] : [createFilesystem(row, answer, disks)]
    })
  }

  close(): void {
    this.#pool.close()
  }

  #readMounts(): readonly Row[] {
    const bytes = this.#files.readIfThere(this.#paths.local('/proc/self/mountinfo'))
    if (bytes === undefined) return []
    if (!bytes.equals(this.#mountBytes)) {
      this.#rows = chooseMounts(parseMountInfo(bytes))
      this.#mountBytes = Buffer.from(bytes)
    }
    return this.#rows
  }

  /** Columns by `major:minor`. */
  #readDisks(): ReadonlyMap<string, Float64Array> {
    const disks = new Map<string, Float64Array>()
    const bytes = this.#files.readIfThere(this.#paths.local('/proc/diskstats'))
    if (bytes === undefined) return disks
    const scanner = this.#scanner
    scanner.load(bytes)
    while (scanner.nextLine()) {
      const [major, minor] = [scanner.nextUnsigned(), scanner.nextUnsigned()]
      if (!scanner.nextField()) continue
      const values = new Float64Array(diskColumns)
      for (let index = 0; index < diskColumns; index++) values[index] = scanner.nextUnsigned()
      if (!Number.isNaN(values[diskColumns - 1]!)) disks.set(`${major}:${minor}`, values)
    }
    return disks
  }
}

/**
 * One mount per device: the first, for the others are bind mounts. A tmpfs is told by its mount point. Overlays are the root file systems of
 * containers, which have their own rows; only that of the machine itself counts.
 */
function chooseMounts(mounts: readonly Mount[]): Row[] {
  const risks = findRiskyMounts(mounts)
  const rows = new Map<string, Row>()
  mounts.forEach((mount, index) => {
    const device = mount.fsType === 'tmpfs' ? mount.path : mount.device
    const isShown = mount.path === '/' || mount.fsType.startsWith('ext') || ownTypes.has(mount.fsType)
    if (!isShown || (rows.has(device) && mount.path !== '/') || rows.size >= filesystemsMax) return
    rows.set(device, { device, mount, mayHang: risks[index]! })
  })
  return [...rows.values()]
}

function createFilesystem({ device, mount }: Row, numbers: StatfsNumbers, disks: ReadonlyMap<string, Float64Array>): Filesystem {
  return {
    device,
    major: Number(mount.major),
    minor: Number(mount.minor),
    limitBytes: numbers.blocks * numbers.blockBytes,
    usageBytes: (numbers.blocks - numbers.blocksFree) * numbers.blockBytes,
    inodes: numbers.files,
    inodesFree: numbers.filesFree,
    disk: disks.get(`${mount.major}:${mount.minor}`),
  }
}

/** Waits until all are settled or the time is up, whichever is first. */
async function settleWithin(promises: readonly Promise<void>[], timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const expiry = new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.max(0, timeoutMs))))
  await Promise.race([Promise.all(promises), expiry])
  clearTimeout(timer)
}

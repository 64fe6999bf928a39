import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { NameFilter } from '@narthex/exporter-kit/name-filter'
import { parseMountInfo, type Mount } from '@narthex/exporter-kit/mount-info'
import { findRiskyMounts } from '@narthex/exporter-kit/mount-risk'
import { callStatfs, type StatfsNumbers } from '@narthex/exporter-kit/statfs-helper'
import { StatfsPool, type PooledAnswer, type SpawnHelper } from '@narthex/exporter-kit/statfs-pool'
import { compareLabels } from './compare-labels.ts'
import type { NodeEnvironment } from './environment.ts'
import { describeErrno } from './errno-text.ts'
import { createNameFilter } from './name-filter-flags.ts'

/** Patterns of what is left out when no flag says otherwise. */
export interface FilesystemExcludes {
  readonly mountPoints: string
  readonly fsTypes: string
}

const linuxExcludes: FilesystemExcludes = {
  mountPoints: '^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)',
  fsTypes:
    '^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs' +
    '|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$',
}
/** Those of macOS, and for want of an original also of Windows. */
const otherExcludes: FilesystemExcludes = { mountPoints: '^/(dev)($|/)', fsTypes: '^devfs$' }

export function filesystemExcludesOf(platform: NodeJS.Platform): FilesystemExcludes {
  return platform === 'linux' ? linuxExcludes : otherExcludes
}

export const createFilesystemFlags = (platform: NodeJS.Platform): readonly FlagSpec[] => [
  {
    name: 'collector.filesystem.mount-points-exclude',
    type: 'string',
    default: filesystemExcludesOf(platform).mountPoints,
    help: 'Regexp of mount points to exclude for filesystem collector. (mutually exclusive to mount-points-include)',
  },
  {
    name: 'collector.filesystem.mount-points-include',
    type: 'string',
    help: 'Regexp of mount points to include for filesystem collector. (mutually exclusive to mount-points-exclude)',
  },
  {
    name: 'collector.filesystem.fs-types-exclude',
    type: 'string',
    default: filesystemExcludesOf(platform).fsTypes,
    help: 'Regexp of filesystem types to exclude for filesystem collector. (mutually exclusive to fs-types-include)',
  },
  {
    name: 'collector.filesystem.fs-types-include',
    type: 'string',
    help: 'Regexp of filesystem types to include for filesystem collector. (mutually exclusive to fs-types-exclude)',
  },
  { name: 'collector.filesystem.ignored-mount-points', type: 'string', hidden: true, help: 'Old name of mount-points-exclude.' },
  { name: 'collector.filesystem.ignored-fs-types', type: 'string', hidden: true, help: 'Old name of fs-types-exclude.' },
  {
    name: 'collector.filesystem.mount-timeout',
    type: 'duration',
    default: '5s',
    hidden: true,
    help: 'How long to wait for a mount to respond before marking it as stale.',
  },
  {
    name: 'collector.filesystem.stat-workers',
    type: 'number',
    default: 4,
    hidden: true,
    help: 'How many stat calls to process simultaneously.',
    withoutEffect: 'mounts that may hang are asked by helper processes, one at a time and at most four that hang',
  },
]

/** Kept free of the scrape's time, for what follows when a mount has not answered. */
const answerMarginMs = 100

/** A mount as it is shown. */
export interface MountRow {
  readonly isReadOnly: boolean
  readonly mayHang: boolean
  /** Labels with an empty device_error. */
  readonly labels: readonly string[]
  readonly infoLabels: readonly string[]
  /** The path to ask for, seen from this process. */
  readonly pathBytes: string
  /** Known already: nobody is asked. */
  readonly numbers?: StatfsNumbers
}

/** Where the mounts come from. */
export interface MountSource {
  read(context: CollectContext): readonly MountRow[] | Promise<readonly MountRow[]>
}

interface MountResult {
  readonly row: MountRow
  answer: PooledAnswer
}

export function createFilesystemCollector(environment: NodeEnvironment, spawnHelper: SpawnHelper): Collector {
  return createMountsCollector(environment, spawnHelper, new MountTable(environment, createMountFilters(environment.flags)))
}

/** Shows the mounts of a source with the numbers of statfs(2), which helper processes ask for where it may hang. */
export function createMountsCollector(environment: NodeEnvironment, spawnHelper: SpawnHelper, source: MountSource): Collector {
  const { flags, log } = environment
  const pool = new StatfsPool(spawnHelper, flags.durationMs('collector.filesystem.mount-timeout'), log)

  function collect(context: CollectContext): void | Promise<void> {
    const rows = source.read(context)
    return rows instanceof Promise ? rows.then((read) => askAll(context, read)) : askAll(context, rows)
  }

  function askAll(context: CollectContext, rows: readonly MountRow[]): void | Promise<void> {
    const results: MountResult[] = []
    const questions: Promise<void>[] = []
    for (const row of rows) {
      const result: MountResult = { row, answer: row.numbers ?? 'timeout' }
      results.push(result)
      if (row.numbers !== undefined) continue
      if (row.mayHang) questions.push(pool.ask(row.pathBytes).then((answer) => void (result.answer = answer)))
      else result.answer = callStatfs(row.pathBytes)
    }
    if (questions.length === 0) return writeResults(context.writer, results)
    return settleWithin(questions, context.remainingMs() - answerMarginMs).then(() => writeResults(context.writer, results))
  }

  return { name: 'filesystem', defaultOn: true, collect, close: () => pool.close() }
}

export interface MountFilters {
  readonly mountPoints: NameFilter
  readonly fsTypes: NameFilter
}

export function createMountFilters(flags: FlagReader): MountFilters {
  const create = (exclude: string, oldExclude: string, include: string): NameFilter =>
    createNameFilter(flags, {
      exclude: `collector.filesystem.${exclude}`,
      include: `collector.filesystem.${include}`,
      oldExclude: `collector.filesystem.${oldExclude}`,
    })
  return {
    mountPoints: create('mount-points-exclude', 'ignored-mount-points', 'mount-points-include'),
    fsTypes: create('fs-types-exclude', 'ignored-fs-types', 'fs-types-include'),
  }
}

/** The mounts that the filters let through, each once, sorted by labels; parsed again only when the kernel's list has changed. */
class MountTable {
  readonly #environment: NodeEnvironment
  readonly #filters: MountFilters
  #bytes: Buffer = Buffer.alloc(0)
  #rows: readonly MountRow[] = []

  constructor(environment: NodeEnvironment, filters: MountFilters) {
    this.#environment = environment
    this.#filters = filters
  }

  read(): readonly MountRow[] {
    const { files } = this.#environment
    // The first process sees the host's mounts where this one may not; under hidepid it is out of sight.
    const bytes = files.readIfThere(this.#environment.procPath('1/mountinfo')) ?? files.read(this.#environment.procPath('self/mountinfo'))
    if (!bytes.equals(this.#bytes)) {
      this.#rows = this.#createRows(parseMountInfo(bytes))
      this.#bytes = Buffer.from(bytes)
    }
    return this.#rows
  }

  #createRows(mounts: readonly Mount[]): MountRow[] {
    const risks = findRiskyMounts(mounts)
    const rows = new Map<string, MountRow>()
    mounts.forEach((mount, index) => {
      const path = this.#environment.stripRootfs(mount.path)
      if (this.#filters.mountPoints.isIgnored(path) || this.#filters.fsTypes.isIgnored(mount.fsType)) return
      const labels = ['device', mount.device, 'device_error', '', 'fstype', mount.fsType, 'mountpoint', path]
      const key = labels.join('\0')
      const known = rows.get(key)
      // A second mount on the same point: what is there to see is the last one.
      rows.set(key, {
        isReadOnly: mount.isReadOnly,
        mayHang: risks[index]! || known?.mayHang === true,
        labels,
        infoLabels: ['device', mount.device, 'major', mount.major, 'minor', mount.minor, 'mountpoint', path],
        pathBytes: this.#environment.rootfsPath(this.#environment.stripRootfs(mount.pathBytes)),
      })
    })
    return [...rows.values()].sort((a, b) => compareLabels(a.labels, b.labels))
  }
}

/** Waits until all are settled or the time is up, whichever is first. */
async function settleWithin(promises: readonly Promise<void>[], timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const expiry = new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.max(0, timeoutMs))))
  await Promise.race([Promise.all(promises), expiry])
  clearTimeout(timer)
}

function isAnswered(result: MountResult): result is MountResult & { answer: StatfsNumbers } {
  return result.answer !== 'timeout' && !('errorCode' in result.answer)
}

const sizes: readonly (readonly [name: string, help: string, value: (numbers: StatfsNumbers) => number])[] = [
  ['avail_bytes', 'Bytes free for users other than root.', (numbers) => numbers.blocksAvailable * numbers.blockBytes],
  ['files', 'File nodes.', (numbers) => numbers.files],
  ['files_free', 'File nodes free.', (numbers) => numbers.filesFree],
  ['free_bytes', 'Bytes free.', (numbers) => numbers.blocksFree * numbers.blockBytes],
  ['size_bytes', 'Bytes in all.', (numbers) => numbers.blocks * numbers.blockBytes],
]

function writeResults(writer: MetricWriter, results: readonly MountResult[]): void {
  const labelled = results.map((result) => ({ result, labels: labelsOf(result) }))
  const answered = results.filter(isAnswered)
  writer.family('node_filesystem_device_error', 'Whether statistics of the file system could not be had.', 'gauge')
  for (const { result, labels } of labelled) writer.sample(isAnswered(result) ? 0 : 1, labels)
  writer.family('node_filesystem_mount_info', 'Device numbers of the file system.', 'gauge')
  for (const { row } of answered) writer.sample(1, row.infoLabels)
  writer.family('node_filesystem_readonly', 'Whether the file system is read-only.', 'gauge')
  for (const { result, labels } of labelled) writer.sample(result.row.isReadOnly ? 1 : 0, labels)
  for (const [name, help, value] of sizes) {
    writer.family(`node_filesystem_${name}`, help, 'gauge')
    for (const { row, answer } of answered) {
      const number = value(answer)
      // Windows has no file nodes.
      if (!Number.isNaN(number)) writer.sample(number, row.labels)
    }
  }
}

function labelsOf({ row, answer }: MountResult): readonly string[] {
  if (answer !== 'timeout' && !('errorCode' in answer)) return row.labels
  const text = answer === 'timeout' ? 'mountpoint timeout' : describeErrno(answer.errorCode)
  return row.labels.map((label, index) => (index === 3 ? text : label))
}

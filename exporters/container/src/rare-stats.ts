import { readdirSync } from 'node:fs'
import type { CgroupFiles } from './cgroup-files.ts'

// Figures that are off by default: found by strings, for few ask for them.

/** Connections by state. */
export interface SocketCounts {
  readonly tcp: Float64Array | undefined
  readonly tcp6: Float64Array | undefined
  readonly udp: Float64Array | undefined
  readonly udp6: Float64Array | undefined
}

/** Value by the field's name in lower case. */
export type AdvancedTcp = ReadonlyMap<string, number>

export interface ProcessCounts {
  readonly processes: number
  readonly fileDescriptors: number
  readonly sockets: number
  readonly threads: number
  /** 0 for no limit. */
  readonly threadsMax: number
  /** Soft limit of open files of the first process, -1 for none; undefined where there is no process. */
  readonly openFilesSoft: number | undefined
}

export interface NumaRow {
  readonly type: string
  readonly scope: 'container' | 'hierarchy'
  readonly node: string
  readonly pages: number
}

export interface HugePageRow {
  /** `2MB`. */
  readonly pageSize: string
  readonly usageBytes: number
  readonly maxUsageBytes: number
  readonly failures: number
}

/** Rows that are kept per cgroup. */
const rowsMax = 1024
const pageBytes = 4096

/** Lines `file=N N0=N N1=N`, with `hierarchical_` in front for the cgroup with those below it. */
export function readNumaPagesV1(files: CgroupFiles): NumaRow[] {
  const rows: NumaRow[] = []
  for (const line of textOf(files, 'memory.numa_stat').split('\n')) {
    const [first = '', ...nodes] = line.split(' ')
    const [, prefix, type] = /^(hierarchical_)?(file|anon|unevictable)=/.exec(first) ?? []
    if (type === undefined) continue
    for (const node of nodes) {
      const [, number, pages] = /^N(\d+)=(\d+)$/.exec(node) ?? []
      if (number === undefined || rows.length >= rowsMax) continue
      rows.push({ type, scope: prefix === undefined ? 'container' : 'hierarchy', node: number, pages: Number(pages) })
    }
  }
  return rows
}

/** Lines `file N0=BYTES N1=BYTES`, always with what is below. */
export function readNumaPagesV2(files: CgroupFiles): NumaRow[] {
  const rows: NumaRow[] = []
  for (const line of textOf(files, 'memory.numa_stat').split('\n')) {
    const [type = '', ...nodes] = line.split(' ')
    if (type !== 'file' && type !== 'anon' && type !== 'unevictable') continue
    for (const node of nodes) {
      const [, number, bytes] = /^N(\d+)=(\d+)$/.exec(node) ?? []
      if (number === undefined || rows.length >= rowsMax) continue
      rows.push({ type, scope: 'hierarchy', node: number, pages: Number(bytes) / pageBytes })
    }
  }
  return rows
}

export function readHugePagesV1(files: CgroupFiles, directory: string): HugePageRow[] {
  return listPageSizes(directory, /^hugetlb\.(\w+)\.usage_in_bytes$/).map((pageSize) => {
    const prefix = prefixOf(files, pageSize, 'usage_in_bytes')
    return {
      pageSize,
      usageBytes: files.numberOrZero(`${prefix}.usage_in_bytes`),
      maxUsageBytes: files.numberOrZero(`${prefix}.max_usage_in_bytes`),
      failures: files.numberOrZero(`${prefix}.failcnt`),
    }
  })
}

export function readHugePagesV2(files: CgroupFiles, directory: string): HugePageRow[] {
  return listPageSizes(directory, /^hugetlb\.(\w+)\.current$/).map((pageSize) => {
    const prefix = prefixOf(files, pageSize, 'current')
    const failures = /^max (\d+)$/m.exec(textOf(files, `hugetlb.${pageSize}.events`))?.[1] ?? '0'
    return { pageSize, usageBytes: files.numberOrZero(`${prefix}.current`), maxUsageBytes: 0, failures: Number(failures) }
  })
}

/** Reserved pages count where the kernel has them, as for whoever maps pages and is refused. */
function prefixOf(files: CgroupFiles, pageSize: string, suffix: string): string {
  const reserved = `hugetlb.${pageSize}.rsvd`
  return Number.isNaN(files.number(`${reserved}.${suffix}`)) ? `hugetlb.${pageSize}` : reserved
}

function listPageSizes(directory: string, syntax: RegExp): string[] {
  try {
    return readdirSync(directory).flatMap((name) => syntax.exec(name)?.[1] ?? [])
  } catch {
    return []
  }
}

function textOf(files: CgroupFiles, name: string): string {
  return files.read(name)?.toString('latin1') ?? ''
}

import type { ByteScanner } from '@narthex/exporter-kit/byte-scanner'

/** The lines of /proc/net/rpc/nfs and nfsd: a key and its numbers. Throws, naming `path`, for a line that is none. */
export function readRpcStatistics(scanner: ByteScanner, path: string): ReadonlyMap<string, readonly number[]> {
  const lines = new Map<string, number[]>()
  while (scanner.nextLine()) {
    if (!scanner.nextField()) continue
    const key = scanner.text()
    const values: number[] = []
    // Behind the two numbers of `th` old kernels print a histogram of seconds.
    while ((key !== 'th' || values.length < 2) && scanner.nextField()) values.push(scanner.unsigned())
    if (values.length === 0 || values.some((value) => Number.isNaN(value))) {
      throw new Error(
        `cannot read ${path}: want numbers behind ${key}, got ${JSON.stringify(scanner.text(scanner.lineStart, scanner.lineEnd))}`,
      )
    }
    lines.set(key, values)
  }
  return lines
}

/** One procedure of a protocol version: its labels, and its place in the kernel's list, which starts with their count. */
export interface RpcProcedure {
  readonly labels: readonly string[]
  readonly index: number
}

/** `names` in the kernel's order; `-` for one that is not exposed. Sorted by name. */
export function listProcedures(version: string, names: string): RpcProcedure[] {
  return names
    .split(/\s+/)
    .map((name, index) => ({ labels: ['method', name, 'proto', version], index: index + 1 }))
    .filter(({ labels }) => labels[1] !== '-')
    .sort((a, b) => (a.labels[1]! < b.labels[1]! ? -1 : 1))
}

// The procedures of NFS 2 and 3 in the order of their numbers (RFC 1094, RFC 1813), in the original's spelling.
export const version2Procedures =
  'Null GetAttr SetAttr Root Lookup ReadLink Read WrCache Write Create Remove Rename Link SymLink MkDir RmDir ReadDir FsStat'
export const version3Procedures =
  'Null GetAttr SetAttr Lookup Access ReadLink Read Write Create MkDir SymLink MkNod Remove RmDir Rename Link ReadDir ReadDirPlus ' +
  'FsStat FsInfo PathConf Commit'

import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { NodeEnvironment } from './environment.ts'
import { listProcedures, readRpcStatistics, version2Procedures, version3Procedures } from './rpc-statistics.ts'

// NFS 4 operations by number (RFC 7530), in the original's spelling; it leaves out the first three, which are none, and two more.
const version4Operations =
  '- - - Access Close Commit Create DelegPurge DelegReturn GetAttr GetFH Link Lock Lockt Locku Lookup LookupRoot Nverify Open OpenAttr ' +
  'OpenConfirm OpenDgrd PutFH - - Read ReadDir ReadLink Remove Rename Renew RestoreFH SaveFH SecInfo SetAttr SetClientID ' +
  'SetClientIDConfirm Verify Write RelLockOwner'

const withoutNull = (names: string): string => names.replace(/^Null /, '- ')
const procedures = [
  { key: 'proc2', list: listProcedures('2', withoutNull(version2Procedures)) },
  { key: 'proc3', list: listProcedures('3', withoutNull(version3Procedures)) },
  { key: 'proc4ops', list: listProcedures('4', version4Operations) },
  // Newer than the list, on a line of its own.
  { key: 'wdeleg_getattr', list: [{ labels: ['method', 'WdelegGetattr', 'proto', '4'], index: 0 }] },
]
  .flatMap(({ key, list }) => list.map((procedure) => ({ key, ...procedure })))
  .sort((a, b) => (a.labels[1]! < b.labels[1]! ? -1 : a.labels[1]! > b.labels[1]! ? 1 : a.key < b.key ? -1 : 1))

interface Family {
  readonly name: string
  readonly help: string
  readonly key: string
  readonly index: number
  readonly type?: 'gauge'
}

const families: readonly Family[] = [
  { name: 'connections_total', help: 'TCP connections to the NFS server.', key: 'net', index: 3 },
  { name: 'disk_bytes_read_total', help: 'Bytes that the NFS server read.', key: 'io', index: 0 },
  { name: 'disk_bytes_written_total', help: 'Bytes that the NFS server wrote.', key: 'io', index: 1 },
  { name: 'file_handles_stale_total', help: 'Stale file handles that clients sent.', key: 'fh', index: 0 },
  { name: 'read_ahead_cache_not_found_total', help: 'Lookups that the read-ahead cache could not answer.', key: 'ra', index: 11 },
  { name: 'read_ahead_cache_size_blocks', help: 'Blocks of the read-ahead cache.', key: 'ra', index: 0, type: 'gauge' },
  { name: 'reply_cache_hits_total', help: 'Requests answered from the reply cache: the client had lost the answer.', key: 'rc', index: 0 },
  { name: 'reply_cache_misses_total', help: 'Requests that had to be put into the reply cache.', key: 'rc', index: 1 },
  { name: 'reply_cache_nocache_total', help: 'Requests that need no reply cache.', key: 'rc', index: 2 },
  { name: 'server_rpcs_total', help: 'Remote procedure calls to the NFS server.', key: 'rpc', index: 0 },
  { name: 'server_threads', help: 'Threads of the NFS server.', key: 'th', index: 0, type: 'gauge' },
]

export function createNfsdCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('net/rpc/nfsd')

  function collect({ writer }: CollectContext): void {
    scanner.load(readFile())
    const lines = readRpcStatistics(scanner, path)
    // A line that the kernel lacks counts as zeros, as in the original.
    const value = (key: string, index: number): number => lines.get(key)?.[index] ?? 0
    for (const { name, help, key, index, type } of families) {
      writer.family(`node_nfsd_${name}`, help, type ?? 'counter')
      writer.sample(value(key, index))
    }
    writer.family('node_nfsd_packets_total', 'Packets of the NFS server by protocol.', 'counter')
    writer.sample(value('net', 2), ['proto', 'tcp'])
    writer.sample(value('net', 1), ['proto', 'udp'])
    writer.family('node_nfsd_requests_total', 'Requests to the NFS server by procedure.', 'counter')
    for (const { key, index, labels } of procedures) writer.sample(value(key, index), labels)
    writer.family('node_nfsd_rpc_errors_total', 'Bad remote procedure calls to the NFS server by kind.', 'counter')
    writer.sample(value('rpc', 3), ['error', 'auth'])
    writer.sample(value('rpc', 4), ['error', 'cInt'])
    writer.sample(value('rpc', 2), ['error', 'fmt'])
  }

  function readFile(): Buffer {
    try {
      return files.read(path)
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error
      throw new NoDataError('the NFS server is not loaded', { cause: error })
    }
  }

  return { name: 'nfsd', defaultOn: true, collect }
}

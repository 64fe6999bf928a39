import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { NodeEnvironment } from './environment.ts'
import { listProcedures, readRpcStatistics, version2Procedures, version3Procedures } from './rpc-statistics.ts'

// The operations of the kernel's NFS 4 client in its order (enum in include/linux/nfs4.h), in the original's spelling.
const version4Procedures =
  'Null Read Write Commit Open OpenConfirm OpenNoattr OpenDowngrade Close Setattr FsInfo Renew SetClientID SetClientIDConfirm ' +
  'Lock Lockt Locku Access Getattr Lookup LookupRoot Remove Rename Link Symlink Create Pathconf StatFs ReadLink ReadDir ServerCaps ' +
  'DelegReturn GetACL SetACL FsLocations ReleaseLockowner Secinfo FsidPresent ExchangeID CreateSession DestroySession Sequence ' +
  'GetLeaseTime ReclaimComplete GetDeviceInfo LayoutGet LayoutCommit LayoutReturn SecinfoNoName TestStateID FreeStateID ' +
  'GetDeviceList BindConnToSession DestroyClientID Seek Allocate DeAllocate LayoutStats Clone'

const procedures = [
  { key: 'proc2', list: listProcedures('2', version2Procedures) },
  { key: 'proc3', list: listProcedures('3', version3Procedures) },
  { key: 'proc4', list: listProcedures('4', version4Procedures) },
]
  .flatMap(({ key, list }) => list.map((procedure) => ({ key, ...procedure })))
  .sort((a, b) => (a.labels[1]! < b.labels[1]! ? -1 : a.labels[1]! > b.labels[1]! ? 1 : a.key < b.key ? -1 : 1))

export function createNfsCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('net/rpc/nfs')

  function collect({ writer }: CollectContext): void {
    scanner.load(readFile())
    const lines = readRpcStatistics(scanner, path)
    // A line that the kernel lacks counts as zeros, as in the original.
    const value = (key: string, index: number): number => lines.get(key)?.[index] ?? 0
    const counter = (name: string, help: string, key: string, index: number): void => {
      writer.family(`node_nfs_${name}`, help, 'counter')
      writer.sample(value(key, index))
    }
    counter('connections_total', 'TCP connections of the NFS client.', 'net', 3)
    writer.family('node_nfs_packets_total', 'Packets of the NFS client by protocol.', 'counter')
    writer.sample(value('net', 2), ['protocol', 'tcp'])
    writer.sample(value('net', 1), ['protocol', 'udp'])
    writer.family('node_nfs_requests_total', 'Requests of the NFS client by procedure.', 'counter')
    for (const { key, index, labels } of procedures) writer.sample(value(key, index), labels)
    counter('rpc_authentication_refreshes_total', 'Authentications that the NFS client renewed.', 'rpc', 2)
    counter('rpc_retransmissions_total', 'Requests that the NFS client sent again.', 'rpc', 1)
    counter('rpcs_total', 'Remote procedure calls of the NFS client.', 'rpc', 0)
  }

  function readFile(): Buffer {
    try {
      return files.read(path)
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error
      throw new NoDataError('the NFS client is not loaded', { cause: error })
    }
  }

  return { name: 'nfs', defaultOn: true, collect }
}

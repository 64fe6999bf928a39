import { parseGoFloat } from '@narthex/model/number'
import { readPairs, type InfoReport } from './info-report.ts'
import type { Row } from './target-writer.ts'

/** What the section Replication tells beyond plain fields. */
export interface ReplicationRows {
  readonly slaveOffsets: Row[]
  readonly slaveLags: Row[]
  /** Families about the master that this server follows. */
  readonly ofMaster: Map<string, number>
}

const masterFields: ReadonlySet<string> = new Set(['master_last_io_seconds_ago', 'slave_repl_offset', 'master_sync_in_progress'])

/** Keeps a field that is about the other end of a replication; false if it is a plain one. */
export function readReplicationField(rows: ReplicationRows, report: InfoReport): boolean {
  const { field } = report
  if (field === 'master_link_status') {
    rows.ofMaster.set('master_link_up', report.value === 'up' ? 1 : 0)
    return true
  }
  if (masterFields.has(field)) {
    const { number } = report
    if (number !== undefined) rows.ofMaster.set(field, number)
    return true
  }
  // slave0:ip=10.254.11.1,port=6379,state=online,offset=1751844676,lag=0
  if (!/^slave[0-9]+$/.test(field)) return false
  const pairs = readPairs(report.value)
  const offset = parseGoFloat(pairs.get('offset') ?? '')
  if (offset === undefined) return false
  const labels = ['slave_ip', pairs.get('ip') ?? '', 'slave_port', pairs.get('port') ?? '', 'slave_state', pairs.get('state') ?? '']
  rows.slaveOffsets.push({ labels, value: offset })
  const lag = parseGoFloat(pairs.get('lag') ?? '')
  if (lag !== undefined && lag >= 0) rows.slaveLags.push({ labels, value: lag })
  return true
}

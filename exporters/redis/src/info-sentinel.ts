import { parseGoFloat } from '@narthex/model/number'
import { readPairs } from './info-report.ts'
import type { Row, TargetWriter } from './target-writer.ts'

/** What INFO of a sentinel tells of each master. */
export interface SentinelRows {
  readonly status: Row[]
  readonly slaves: Row[]
  readonly sentinels: Row[]
}

const plainFields: ReadonlySet<string> = new Set([
  'sentinel_masters',
  'sentinel_tilt',
  'sentinel_running_scripts',
  'sentinel_scripts_queue_length',
  'sentinel_simulate_failure_flags',
])

/** Writes or keeps a field of the section Sentinel; false if it is none. */
export function readSentinelField(writer: TargetWriter, rows: SentinelRows, field: string, value: string): boolean {
  if (plainFields.has(field)) {
    const number = parseGoFloat(value)
    if (number !== undefined) writer.gauge(field, `Field ${field} of the server's own report.`, number)
    return true
  }
  // master0:name=mymaster,status=ok,address=127.0.0.1:6379,slaves=1,sentinels=1
  if (!/^master[0-9]+$/.test(field)) return false
  const pairs = readPairs(value)
  const status = pairs.get('status') ?? ''
  const labels = ['master_address', pairs.get('address') ?? '', 'master_name', pairs.get('name') ?? '']
  rows.status.push({ labels: [...labels, 'master_status', status], value: status === 'ok' ? 1 : 0 })
  const slaves = parseGoFloat(pairs.get('slaves') ?? '')
  const sentinels = parseGoFloat(pairs.get('sentinels') ?? '')
  if (slaves !== undefined) rows.slaves.push({ labels, value: slaves })
  if (sentinels !== undefined) rows.sentinels.push({ labels, value: sentinels })
  return true
}

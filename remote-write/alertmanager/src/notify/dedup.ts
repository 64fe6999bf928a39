import type { LogEntry } from './notification-log.ts'

/** Why a message is sent, in Alertmanager's words. */
export type NotificationReason =
  'first notification' | 'new alerts added' | 'all alerts resolved' | 'some alerts resolved' | 'repeat interval elapsed'

export interface DedupInput {
  /** What the integration was told last; undefined if nothing (or too long ago). */
  readonly entry: LogEntry | undefined
  readonly firing: ReadonlySet<bigint>
  readonly resolved: ReadonlySet<bigint>
  readonly sendResolved: boolean
  readonly repeatIntervalMs: number
  readonly nowNs: bigint
}

/** Whether the integration needs to hear of this state of the group, and why; undefined if it knows. */
export function findReasonToSend(input: DedupInput): NotificationReason | undefined {
  const { entry, firing, resolved, sendResolved, repeatIntervalMs, nowNs } = input
  if (entry === undefined) return firing.size > 0 ? 'first notification' : undefined
  if (!isSubset(firing, entry.firing)) return entry.firing.size === 0 ? 'first notification' : 'new alerts added'
  // Even without send_resolved: the log has to forget the firing alerts, or a later one would not be news.
  if (firing.size === 0) return entry.firing.size > 0 ? 'all alerts resolved' : undefined
  if (sendResolved && !isSubset(resolved, entry.resolved)) return 'some alerts resolved'
  return entry.timestampNs < nowNs - BigInt(repeatIntervalMs) * 1_000_000n ? 'repeat interval elapsed' : undefined
}

function isSubset(part: ReadonlySet<bigint>, whole: ReadonlySet<bigint>): boolean {
  for (const element of part) if (!whole.has(element)) return false
  return true
}

import type { Clock } from '@narthex/service/clock'
import type { Logger } from '@narthex/service/logger'
import type { Counter, Registry, Summary } from '@narthex/service/metrics'
import { joinDelimited, MessageFields, MessageWriter, splitDelimited } from '../storage/protobuf.ts'
import { msToNs } from '../rfc3339.ts'
import { SnapshotFile } from '../storage/snapshot-file.ts'

/** One integration of one receiver. */
export interface LogReceiver {
  readonly groupName: string
  readonly integration: string
  readonly index: number
}

/** What an integration was last told about a group; alerts by their `hashForLog`. */
export interface LogEntry {
  readonly groupKey: string
  readonly receiver: LogReceiver
  readonly timestampNs: bigint
  readonly firing: ReadonlySet<bigint>
  readonly resolved: ReadonlySet<bigint>
  readonly expiresAtNs: bigint
}

export interface NotificationLogOptions {
  readonly path: string
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  readonly retentionMs: number
}

const maintenanceIntervalMs = 15 * 60_000

/** Remembers what was sent, over restarts too, so that nobody is told the same twice. In Alertmanager's `nflog` format. */
export class NotificationLog {
  readonly #entries = new Map<string, LogEntry>()
  readonly #options: NotificationLogOptions
  readonly #file: SnapshotFile
  readonly #queries: Counter
  readonly #garbageDuration: Summary
  #cancelMaintenance: () => void = () => {}

  private constructor(options: NotificationLogOptions) {
    this.#options = options
    const { path, clock, log, registry } = options
    const size = registry.gauge('alertmanager_nflog_snapshot_size_bytes', 'Size of the last saved notification log.')
    const duration = registry.summary('alertmanager_nflog_snapshot_duration_seconds', 'How long saving the notification log takes.')
    this.#queries = registry.counter('alertmanager_nflog_queries_total', 'Look-ups in the notification log.')
    registry.counter('alertmanager_nflog_query_errors_total', 'Look-ups in the notification log that failed.')
    this.#garbageDuration = registry.summary('alertmanager_nflog_gc_duration_seconds', 'How long forgetting old log entries takes.')
    this.#file = new SnapshotFile({
      path,
      clock,
      log,
      encode: () => joinDelimited([...this.#entries.values()].map(encodeEntry)),
      saved: (bytes, durationMs) => {
        size.set(bytes)
        duration.observe(durationMs / 1000)
      },
    })
  }

  /** Rejects if the file is there and cannot be read. */
  static async open(options: NotificationLogOptions): Promise<NotificationLog> {
    const log = new NotificationLog(options)
    const content = await log.#file.read()
    if (content !== undefined) log.#load(content)
    log.#armMaintenance()
    return log
  }

  find(groupKey: string, receiver: LogReceiver): LogEntry | undefined {
    this.#queries.inc()
    return this.#entries.get(entryKey(groupKey, receiver))
  }

  /** Notes a message sent now; it is forgotten after `expiryMs`, at the latest after the retention. */
  note(entry: Pick<LogEntry, 'groupKey' | 'receiver' | 'firing' | 'resolved'>, expiryMs: number): void {
    const nowMs = this.#options.clock.now()
    const keptMs = Math.min(expiryMs, this.#options.retentionMs)
    const full: LogEntry = { ...entry, timestampNs: msToNs(nowMs), expiresAtNs: msToNs(nowMs + keptMs) }
    this.#entries.set(entryKey(entry.groupKey, entry.receiver), full)
    this.#file.markDirty()
  }

  async close(): Promise<void> {
    this.#cancelMaintenance()
    await this.#file.close()
  }

  #load(content: Uint8Array): void {
    try {
      for (const bytes of splitDelimited(content)) {
        const entry = decodeEntry(bytes)
        this.#entries.set(entryKey(entry.groupKey, entry.receiver), entry)
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`cannot load notification log from ${this.#options.path}: ${reason}`, { cause: error })
    }
    this.#dropExpired()
  }

  #armMaintenance(): void {
    this.#cancelMaintenance = this.#options.clock.setTimer(() => {
      this.#dropExpired()
      this.#armMaintenance()
    }, maintenanceIntervalMs)
  }

  #dropExpired(): void {
    const startMs = this.#options.clock.now()
    const nowNs = msToNs(startMs)
    for (const [key, entry] of this.#entries) {
      if (entry.expiresAtNs > nowNs) continue
      this.#entries.delete(key)
      this.#file.markDirty()
    }
    this.#garbageDuration.observe((this.#options.clock.now() - startMs) / 1000)
  }
}

function entryKey(groupKey: string, { groupName, integration, index }: LogReceiver): string {
  return `${groupKey}:${groupName}/${integration}/${index}`
}

// nflogpb.MeshEntry
function encodeEntry({ groupKey, receiver, timestampNs, firing, resolved, expiresAtNs }: LogEntry): Uint8Array {
  const stored = new MessageWriter().text(1, receiver.groupName).text(2, receiver.integration).uint(3, receiver.index)
  const entry = new MessageWriter().text(1, groupKey).message(2, stored).timestamp(5, timestampNs)
  entry.packedUints(6, [...firing]).packedUints(7, [...resolved])
  return new MessageWriter().message(1, entry).timestamp(2, expiresAtNs).finish()
}

function decodeEntry(bytes: Uint8Array): LogEntry {
  const mesh = new MessageFields(bytes)
  const entry = mesh.message(1)
  const receiver = entry.message(2)
  return {
    groupKey: entry.text(1),
    receiver: { groupName: receiver.text(1), integration: receiver.text(2), index: receiver.uint(3) },
    timestampNs: entry.timestamp(5),
    firing: new Set(entry.uints(6)),
    resolved: new Set(entry.uints(7)),
    expiresAtNs: mesh.timestamp(2),
  }
}

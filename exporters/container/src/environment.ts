import { ByteScanner } from '@narthex/exporter-kit/byte-scanner'
import { FileReader } from '@narthex/exporter-kit/file-reader'
import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { Logger } from '@narthex/service/logger'
import type { HostPaths } from './host-paths.ts'
import { readMetricKinds, type MetricKind } from './metric-kinds.ts'

/** What all parts of the exporter are given. */
export class ContainerEnvironment {
  readonly flags: FlagReader
  readonly log: Logger
  readonly paths: HostPaths
  readonly kinds: ReadonlySet<MetricKind>
  /** Reads into one buffer: what a read gave is valid until the next one. */
  readonly files = new FileReader()
  /** Over the buffer of `files`; nobody keeps a position in it across an `await`. */
  readonly scanner = new ByteScanner()
  /** Wall clock, Unix milliseconds. */
  readonly nowMs: () => number
  /** Monotonic clock, milliseconds. */
  readonly monotonicMs: () => number

  constructor(flags: FlagReader, log: Logger, paths: HostPaths, nowMs: () => number, monotonicMs: () => number) {
    this.flags = flags
    this.log = log
    this.paths = paths
    this.nowMs = nowMs
    this.monotonicMs = monotonicMs
    this.kinds = readMetricKinds(flags.string('enable_metrics'), flags.string('disable_metrics'))
  }

  /** The values of a flag with commas between them. */
  list(flag: string): readonly string[] {
    const text = this.flags.string(flag)
    return text === '' ? [] : text.split(',')
  }
}

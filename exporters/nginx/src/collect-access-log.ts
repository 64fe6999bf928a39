import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import type { Logger } from '@narthex/service/logger'
import { AccessLogFile } from './access-log-file.ts'
import { AccessLogMeter, type AccessLogMeterOptions } from './access-log-meter.ts'
import { readBufferBytes } from './log-tail.ts'
import { findLogFiles, type LogSource } from './log-sources.ts'
import { readAutomatically } from './automatic-format.ts'
import type { LineReader } from './access-log-fields.ts'
import { withLabel } from './constant-labels.ts'

/** How often the logs are read between scrapes, so that little is lost when one is cut. */
const pollMs = 1000
/** How often patterns are looked up anew. */
const expandMs = 30_000
/** Taken off the time that is left: what is counted so far is written, however long the reading takes. */
const reserveMs = 50

export interface AccessLogOptions extends AccessLogMeterOptions {
  readonly sources: readonly LogSource[]
  /** Undefined: each line is JSON if it begins so, else it is of the combined format. */
  readonly reader: LineReader | undefined
  readonly log: Logger
  /** Monotonic clock. */
  readonly nowMs?: () => number
}

/** Follows access logs from their end on, and shows what was counted since the start. */
export function createAccessLogCollector(options: AccessLogOptions): Collector {
  const { constantLabels, log, sources } = options
  const nowMs = options.nowMs ?? (() => performance.now())
  const reader = options.reader ?? readAutomatically
  const meter = new AccessLogMeter(options)
  const files = new Map<string, AccessLogFile>()
  const buffer = Buffer.allocUnsafeSlow(readBufferBytes)
  const told = new Set<string>()
  let expandedAtMs = -Infinity
  let polling: Promise<void> | undefined
  let isClosed = false

  /** All files, one after the other: what hangs holds one thread. */
  function poll(): Promise<void> {
    polling ??= readAll()
      .catch((error: unknown) => log.error('cannot follow access logs', { err: error }))
      .finally(() => (polling = undefined))
    return polling
  }

  /** As `poll`, but all that is in the files by now is read: a reading that is under way may be behind some of it. */
  async function pollAfresh(): Promise<void> {
    await polling
    await poll()
  }

  async function readAll(): Promise<void> {
    if (nowMs() - expandedAtMs >= expandMs) await expand()
    for (const file of files.values()) if (!isClosed) await file.poll()
    tellOthers()
  }

  async function expand(): Promise<void> {
    const isFirst = expandedAtMs === -Infinity
    expandedAtMs = nowMs()
    const found = await findLogFiles(sources, log)
    for (const { host, path } of found) {
      if (!files.has(path)) files.set(path, new AccessLogFile({ path, host, reader, meter, log, nowMs, buffer, startsAtEnd: isFirst }))
    }
    // Rotated names that a pattern once found go away; a file that was named stays.
    for (const [path, file] of files) {
      if (found.some((other) => other.path === path)) continue
      files.delete(path)
      await file.close()
    }
  }

  function tellOthers(): void {
    const tellOnce = (key: string, isSo: boolean, text: string): void => {
      if (!isSo || told.has(key)) return
      told.add(key)
      log.warn(text, { values: options.labelValuesMax })
    }
    for (const [label, values] of labelValues) {
      tellOnce(
        label,
        values.isFull,
        `access log: there are more values of the label ${label} than --nginx.access-log.label-values-max; the rest is counted as "other"`,
      )
    }
    tellOnce('rows', meter.refused > 0, 'access log: there are too many sets of label values; some requests are not counted')
  }

  const labelValues = [
    ['backend', meter.backends],
    ['host', meter.hosts],
    ['upstream', meter.upstreams],
  ] as const

  async function collect(context: CollectContext): Promise<void> {
    const { writer } = context
    await waitAtMost(pollAfresh(), context.remainingMs() - reserveMs)
    meter.write(writer)
    writeFiles(writer, [...files.values()], constantLabels)
    writer.family('narthex_nginx_log_other_values_total', 'Label values of access logs that were counted as "other".', 'counter')
    for (const [label, values] of labelValues) writer.sample(values.others, withLabel(constantLabels, 'label', label))
    writer.family('narthex_nginx_log_uncounted_total', 'Times that a set of label values had no room.', 'counter')
    writer.sample(meter.refused, constantLabels)
  }

  async function close(): Promise<void> {
    isClosed = true
    clearInterval(timer)
    // A file that hangs is not waited for.
    await Promise.race([
      Promise.all([...files.values()].map((file) => file.close())),
      new Promise((resolve) => setTimeout(resolve, 500).unref()),
    ])
  }

  void poll()
  const timer = setInterval(() => void poll(), pollMs)
  timer.unref()
  return { name: 'access_log', defaultOn: true, collect, close }
}

function writeFiles(writer: MetricWriter, files: readonly AccessLogFile[], constantLabels: readonly string[]): void {
  const write = (name: string, help: string, type: 'counter' | 'gauge', valueOf: (file: AccessLogFile) => number): void => {
    writer.family(name, help, type)
    for (const file of files) writer.sample(valueOf(file), withLabel(constantLabels, 'file', file.path))
  }
  write('narthex_nginx_log_lines_total', 'Lines read from an access log.', 'counter', ({ lines }) => lines)
  write('narthex_nginx_log_rotations_total', 'Times that an access log was renamed or cut.', 'counter', ({ rotations }) => rotations)
  write('narthex_nginx_log_up', 'Whether an access log can be read (1).', 'gauge', ({ isUp }) => (isUp ? 1 : 0))
  write(
    'nginx_parse_errors_total',
    'Lines of an access log that are not of its format, or too long.',
    'counter',
    ({ parseErrors }) => parseErrors,
  )
}

/** Resolves when the work is done or the time is over; the work goes on. */
async function waitAtMost(work: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const expiry = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, limitMs))
  })
  await Promise.race([work, expiry])
  clearTimeout(timer)
}

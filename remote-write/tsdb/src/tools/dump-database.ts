import { ByteWriter } from '@narthex/bytes/byte-writer'
import { floatBytesMax, writeFloatG } from '@narthex/exposition/float-writer'
import { formatHistogram } from '@narthex/model/format-histogram'
import { stringifyAsGo } from '@narthex/model/go-json'
import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { isValidLegacyLabelName, isValidLegacyMetricName } from '@narthex/model/name'
import type { BlockReader } from '../block/block-reader.ts'
import { PageCache } from '../block/page-cache.ts'
import { BlockSeriesSource } from './block-series-source.ts'
import { HeadChunkRuns } from './head-chunk-runs.ts'
import { hasLateSamples, LogContents } from './log-contents.ts'
import { LogSeriesSource } from './log-series-source.ts'
import { closeBlocks, openBlocks } from './open-blocks.ts'
import type { SampleRun } from './sample-run.ts'
import { mergeSeries } from './series-source.ts'
import type { MergedSeries, SeriesSource } from './series-source.ts'

const pieceBytes = 64 * 1024
const timeBytesMax = 20
const encoder = new TextEncoder()

export interface DumpRequest {
  /** The data directory. */
  readonly directory: string
  /** A series is taken if all matchers of one of these take it. */
  readonly selectors: readonly (readonly Matcher[])[]
  /** Both ends included. */
  readonly minTimeMs: number
  readonly maxTimeMs: number
  /** Ceiling over what the log has; blocks take no memory by their size. */
  readonly memoryBytesMax: number
}

/** How a dump prints; `writeRun` gets samples [from, to) of a run. */
export interface DumpFormat {
  begin(labels: Labels): void
  writeRun(run: SampleRun, from: number, to: number, out: ByteWriter): void
  /** After the last series. */
  end(out: ByteWriter): void
}

/**
 * The samples of a data directory as UTF-8 text in pieces of some 64 KiB: series in the order of their labels, samples in the order of time, from
 * blocks, log and head chunks. Reads only, also beside a running server. What damage of the log left out is told in `problems` when the last
 * piece has come.
 */
export function* dumpDatabase(request: DumpRequest, format: DumpFormat, problems: string[]): Generator<Uint8Array> {
  const { directory } = request
  const blocks = openBlocks(directory, new PageCache())
  let headChunks: HeadChunkRuns | undefined
  try {
    const overlapping = blocks.filter(({ meta }) => meta.minTime <= request.maxTimeMs && meta.maxTime > request.minTimeMs)
    const sources: SeriesSource[] = overlapping.map(
      (block) => new BlockSeriesSource(block, request.selectors, request.minTimeMs, request.maxTimeMs),
    )
    const endOfBlocksMs = findEnd(blocks)
    if (endOfBlocksMs <= request.maxTimeMs || hasLateSamples(directory)) {
      const log = LogContents.read(directory, { minTimeMs: endOfBlocksMs, memoryBytesMax: request.memoryBytesMax })
      headChunks = new HeadChunkRuns(directory, log.map, endOfBlocksMs)
      problems.push(...log.problems)
      sources.push(new LogSeriesSource(log, headChunks, request))
    }
    yield* formatSeries(mergeSeries(sources), format)
    if (headChunks !== undefined) problems.push(...headChunks.problems)
  } finally {
    headChunks?.close()
    closeBlocks(blocks)
  }
}

/** As in Prometheus the log counts from the end of the block that begins last. */
function findEnd(blocks: readonly BlockReader[]): number {
  return blocks.at(-1)?.meta.maxTime ?? -Infinity
}

function* formatSeries(series: Iterable<MergedSeries>, format: DumpFormat): Generator<Uint8Array> {
  const out = new ByteWriter(pieceBytes * 2)
  for (const { labels, samples } of series) {
    format.begin(labels)
    for (const { run, from, to } of samples()) {
      format.writeRun(run, from, to, out)
      if (out.length < pieceBytes) continue
      // A copy: whoever gets it may not be done with it when the next comes.
      yield out.bytes.slice(0, out.length)
      out.reset()
    }
  }
  format.end(out)
  yield out.bytes.slice(0, out.length)
}

/** `{__name__="up", job="a"} 1 1700000000000`: promtool's format of `dump`. */
export class PlainFormat implements DumpFormat {
  #prefix: Uint8Array = encoder.encode('')

  begin(labels: Labels): void {
    this.#prefix = encoder.encode(`${labels.toString()} `)
  }

  writeRun(run: SampleRun, from: number, to: number, out: ByteWriter): void {
    for (let i = from; i < to; i++) {
      out.raw(this.#prefix)
      if (run.isHistogram) out.utf8(`${formatHistogram(run.histograms, i)} `)
      else writeValue(out, run.floats.values[i]!)
      writeInteger(out, run.time(i))
      out.u8(newline)
    }
  }

  end(): void {}
}

/** OpenMetrics text that `create-blocks-from openmetrics` reads: floats only, `histogramsLeftOut` counts the rest. */
export class OpenMetricsFormat implements DumpFormat {
  histogramsLeftOut = 0
  #prefix: Uint8Array = encoder.encode('')

  begin(labels: Labels): void {
    this.#prefix = encoder.encode(`${formatOpenMetricsSeries(labels)} `)
  }

  writeRun(run: SampleRun, from: number, to: number, out: ByteWriter): void {
    if (run.isHistogram) {
      this.histogramsLeftOut += to - from
      return
    }
    const { times, values } = run.floats
    for (let i = from; i < to; i++) {
      out.raw(this.#prefix)
      writeValue(out, values[i]!)
      writeSeconds(out, times[i]!)
      out.u8(newline)
    }
  }

  end(out: ByteWriter): void {
    out.utf8('# EOF\n')
  }
}

/** One JSON object of labels for each series, without samples, as Go encodes it. */
export class SeriesJsonFormat implements DumpFormat {
  #line = ''

  begin(labels: Labels): void {
    const pairs: string[] = []
    for (let i = 0; i < labels.pairs.length; i += 2) pairs.push(`${stringifyAsGo(labels.pairs[i])}:${stringifyAsGo(labels.pairs[i + 1])}`)
    this.#line = `{${pairs.join(',')}}\n`
  }

  writeRun(_run: SampleRun, _from: number, _to: number, out: ByteWriter): void {
    out.utf8(this.#line)
    this.#line = ''
  }

  end(): void {}
}

/** `name{a="b",c="d"}`; names that are not legacy names stand in quotes inside the braces. */
export function formatOpenMetricsSeries(labels: Labels): string {
  const name = labels.get('__name__')
  const isLegacy = isValidLegacyMetricName(name)
  const parts = isLegacy || name === '' ? [] : [quoteOpenMetrics(name)]
  for (let i = 0; i < labels.pairs.length; i += 2) {
    const label = labels.pairs[i]!
    if (label === '__name__') continue
    parts.push(`${isValidLegacyLabelName(label) ? label : quoteOpenMetrics(label)}=${quoteOpenMetrics(labels.pairs[i + 1]!)}`)
  }
  return `${isLegacy ? name : ''}{${parts.join(',')}}`
}

/** OpenMetrics knows three escapes: all other characters stand as they are. */
function quoteOpenMetrics(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}

const newline = 10
const space = 32
const minus = 45
const point = 46
const zero = 48

/** The value as Go's `%g` has it, and a space. */
function writeValue(out: ByteWriter, value: number): void {
  out.reserve(floatBytesMax)
  // The writer of exporters has no negative zero.
  if (Object.is(value, -0)) out.u8(minus)
  out.length = writeFloatG(out.bytes, out.length, value)
  out.u8(space)
}

/** Go's `%d` of whole milliseconds. */
function writeInteger(out: ByteWriter, value: number): void {
  if (value < 0) out.u8(minus)
  writeDigits(out, Math.abs(value), 1)
}

/** Go's `%.3f` of the time in seconds. */
function writeSeconds(out: ByteWriter, timeMs: number): void {
  const milliseconds = Math.abs(timeMs)
  if (timeMs < 0) out.u8(minus)
  writeDigits(out, Math.floor(milliseconds / 1000), 1)
  out.u8(point)
  writeDigits(out, milliseconds % 1000, 3)
}

function writeDigits(out: ByteWriter, value: number, digitsMin: number): void {
  out.reserve(timeBytesMax)
  const { bytes } = out
  let count = digitsMin
  for (let limit = 10 ** digitsMin; value >= limit; limit *= 10) count++
  let rest = value
  for (let at = out.length + count - 1; at >= out.length; at--) {
    const quotient = Math.floor(rest / 10)
    bytes[at] = zero + rest - quotient * 10
    rest = quotient
  }
  out.length += count
}

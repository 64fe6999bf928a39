import type { ByteWriter } from '@narthex/bytes/byte-writer'
import type { MetricType } from '@narthex/model/metric-type'
import { copyMetadata, copySample } from './copy-line.ts'
import { entryEnd, entrySample } from './parser.ts'
import type { ExpositionParser } from './parser.ts'
import { readSeriesKey } from './series-key.ts'

const created = '_created'

/** What a sample of each type puts behind its family's name. */
const suffixes: Readonly<Partial<Record<MetricType, readonly string[]>>> = {
  counter: ['_total'],
  histogram: ['_bucket', '_count', '_sum'],
  summary: ['_count', '_sum'],
}

/** Whether the body can have `_created` lines at all: without, it needs no rewriting. */
export function mayHaveCreated(body: Uint8Array): boolean {
  return Buffer.from(body.buffer, body.byteOffset, body.length).includes(created)
}

/**
 * Appends the samples of an OpenMetrics 1.0 body to `out`, as lines for LineParser, without its `_created` lines: they are the start
 * timestamps of the other samples with their labels, wherever in the body they stand. Throws ExpositionError.
 */
export function writeWithoutCreated(body: Uint8Array, parser: ExpositionParser, out: ByteWriter): void {
  const starts = readStarts(body, parser)
  parser.begin(body, 0, body.length)
  for (let kind = parser.next(); kind !== entryEnd; kind = parser.next()) {
    if (kind !== entrySample) copyMetadata(out, kind, parser)
    else if (!parser.isCreated) copySample(out, body, parser, findStart(body, parser, starts))
  }
}

/** Family name, a newline and labels → milliseconds. */
function readStarts(body: Uint8Array, parser: ExpositionParser): Map<string, number> {
  const starts = new Map<string, number>()
  parser.begin(body, 0, body.length)
  for (let kind = parser.next(); kind !== entryEnd; kind = parser.next()) {
    if (kind !== entrySample || !parser.isCreated || !Number.isFinite(parser.value)) continue
    const { name, labels } = readSeriesKey(body, parser.seriesStart, parser.seriesEnd, '', parser.type)
    starts.set(`${name.slice(0, -created.length)}\n${labels}`, Math.trunc(parser.value * 1000))
  }
  return starts
}

function findStart(body: Uint8Array, parser: ExpositionParser, starts: ReadonlyMap<string, number>): number {
  const endings = starts.size === 0 ? undefined : suffixes[parser.type]
  if (endings === undefined) return 0
  const boundName = parser.type === 'summary' ? 'quantile' : 'le'
  const { name, labels } = readSeriesKey(body, parser.seriesStart, parser.seriesEnd, boundName, parser.type)
  const suffix = endings.find((ending) => name.endsWith(ending)) ?? ''
  return starts.get(`${name.slice(0, name.length - suffix.length)}\n${labels}`) ?? 0
}

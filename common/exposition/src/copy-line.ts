import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { putExemplar } from './exemplar-message.ts'
import { encodeHistogram } from './histogram-message.ts'
import { beginBlock, endBlock, exemplarsFlag, gaugeFlag, histogramFlag, putMetadata, putValue, startFlag, timestampFlag } from './lines.ts'
import { entryHelp, entryType, entryUnit } from './parser.ts'
import type { ExpositionParser, ScrapedExemplar } from './parser.ts'

/** Writes the sample that `parser` stands on, with `startMs` (0 = none) as its start timestamp. */
export function copySample(out: ByteWriter, body: Uint8Array, parser: ExpositionParser, startMs: number): void {
  out.raw(body, parser.seriesStart, parser.seriesEnd)
  const histogram = parser.hasHistogram ? parser.histogram() : undefined
  let flags = (parser.hasTimestamp ? timestampFlag : 0) | (startMs !== 0 ? startFlag : 0) | (parser.hasExemplar ? exemplarsFlag : 0)
  if (histogram !== undefined) flags |= histogramFlag | (histogram.isGauge ? gaugeFlag : 0)
  putValue(out, flags, parser.value, parser.timestampMs, startMs)
  if (histogram !== undefined) {
    const block = beginBlock(out)
    encodeHistogram(out, histogram)
    endBlock(out, block)
  }
  if (parser.hasExemplar) putExemplars(out, parser.exemplars())
}

/** The block of exemplars at the end of a line. */
export function putExemplars(out: ByteWriter, exemplars: readonly ScrapedExemplar[]): void {
  const block = beginBlock(out)
  for (const exemplar of exemplars) putExemplar(out, exemplar)
  endBlock(out, block)
}

/** Writes the metadata entry of this kind that `parser` stands on; of other kinds, nothing. */
export function copyMetadata(out: ByteWriter, kind: number, parser: ExpositionParser): void {
  if (kind === entryType) putMetadata(out, 'TYPE', parser.name(), parser.type)
  else if (kind === entryHelp) putMetadata(out, 'HELP', parser.name(), parser.text())
  else if (kind === entryUnit) putMetadata(out, 'UNIT', parser.name(), parser.text())
}

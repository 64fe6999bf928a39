import { ByteWriter } from '@narthex/bytes/byte-writer'
import { mayHaveCreated, writeWithoutCreated } from './created-lines.ts'
import { LineParser } from './line-parser.ts'
import { writeNhcbLines } from './nhcb-lines.ts'
import { writeOpenMetrics2Lines } from './openmetrics-2-lines.ts'
import { OpenMetricsParser } from './openmetrics-parser.ts'
import type { ExpositionParser } from './parser.ts'
import { writeProtobufLines } from './protobuf-lines.ts'
import { TextParser } from './text-parser.ts'

/** The formats of scrape bodies; `expositionKindOf` gives that of a Content-Type. */
export type ExpositionKind = 'text' | 'openmetrics' | 'openmetrics2' | 'protobuf'

export interface BodyOptions {
  /** `convert_classic_histograms_to_nhcb`: classic histograms become native ones with custom bounds. */
  readonly nhcb: boolean
  /** `always_scrape_classic_histograms`: the classic series stay beside a native histogram that was exposed or converted. */
  readonly keepClassic: boolean
  /** `scrape_native_histograms`: false reads only the classic part of a histogram that has both. */
  readonly nativeHistograms: boolean
  /** OpenMetrics 1.0: `_created` lines are start timestamps of their series and no samples. */
  readonly createdAsStart: boolean
}

export interface PreparedBody {
  /** What the parser reads: the body that was given, or a view of `out`, valid until `out` is written again. */
  readonly body: Uint8Array
  readonly parser: ExpositionParser
}

const textParser = new TextParser()
const openMetricsParser = new OpenMetricsParser()
const lineParser = new LineParser()

// The first of two rewritings. A body larger than this leaves no buffer behind.
const scratchBytesMax = 4 * 1024 * 1024
let scratch = new ByteWriter(4096)

/**
 * A scrape body and the parser for it. A body of text or OpenMetrics 1.0 that needs no change is given back as it is; any other is written to
 * `out` (which is reset first) in the form that LineParser reads, with equal lines for equal samples, so that a caller may compare one
 * answer with the next as it does with text. Parsers are shared: one body is read to its end before the next is prepared. Throws
 * ExpositionError where the body has to be read to be changed.
 */
export function prepareBody(kind: ExpositionKind, body: Uint8Array, options: BodyOptions, out: ByteWriter): PreparedBody {
  const plain = kind === 'text' ? textParser : kind === 'openmetrics' ? openMetricsParser : undefined
  const rewrites = plain === undefined || (kind === 'openmetrics' && options.createdAsStart && mayHaveCreated(body))
  if (!options.nhcb) {
    if (!rewrites) return { body, parser: plain }
    out.reset()
    rewrite(kind, body, options, out)
    return { body: out.view(), parser: lineParser }
  }
  let source: PreparedBody
  if (rewrites) {
    scratch.reset()
    rewrite(kind, body, options, scratch)
    source = { body: scratch.view(), parser: lineParser }
  } else {
    source = { body, parser: plain }
  }
  out.reset()
  writeNhcbLines(source.body, source.parser, out, { keepClassic: options.keepClassic, gaugeHistograms: kind === 'protobuf' })
  if (scratch.bytes.length > scratchBytesMax) scratch = new ByteWriter(4096)
  return { body: out.view(), parser: lineParser }
}

function rewrite(kind: ExpositionKind, body: Uint8Array, options: BodyOptions, out: ByteWriter): void {
  if (kind === 'protobuf') writeProtobufLines(body, out, options)
  else if (kind === 'openmetrics2') writeOpenMetrics2Lines(body, out, options)
  else writeWithoutCreated(body, openMetricsParser, out)
}

/** The parser for bodies that need no change, whatever is in them, so that they can be read in pieces; undefined where `prepareBody` is needed. */
export function plainParser(kind: ExpositionKind, options: BodyOptions): ExpositionParser | undefined {
  if (options.nhcb) return undefined
  if (kind === 'text') return textParser
  return kind === 'openmetrics' && !options.createdAsStart ? openMetricsParser : undefined
}

/** The format that a Content-Type names, by its media type; undefined when it names none that we read. */
export function expositionKindOf(contentType: string): ExpositionKind | undefined {
  const [type = '', ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase())
  if (type === 'text/plain') return 'text'
  if (type === 'application/vnd.google.protobuf') return 'protobuf'
  if (type !== 'application/openmetrics-text') return undefined
  // Prometheus reads every version as 1.0; 2 is another language.
  return parameters.some((parameter) => /^version\s*=\s*"?2\./.test(parameter)) ? 'openmetrics2' : 'openmetrics'
}

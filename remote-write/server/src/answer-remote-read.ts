import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { RegexSyntaxError } from '@narthex/model/regex'
import { SampleColumns } from '@narthex/model/sample-columns'
import { QueryError } from '@narthex/promql/query-error'
import { xorEncoding } from '@narthex/tsdb/chunk/chunk-encoding'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { encodeMixedChunks } from '@narthex/tsdb/select/histogram-samples'
import type { Queryable, SeriesSet } from '@narthex/tsdb/select/queryable'
import type { SeriesChunk } from '@narthex/tsdb/select/series-chunks'
import { ChunkFrameWriter } from '@narthex/wire/remote-read-chunks-writer'
import type { ReadMatcher } from '@narthex/wire/remote-read-request'
import { ReadResponseTooLargeError, ReadResponseWriter } from '@narthex/wire/remote-read-samples-writer'
import type { QueryRequest } from './query-protocol.ts'

// Remote read in a query's thread: select, encode, send piece by piece.

export type RemoteReadCall = Extract<QueryRequest, { kind: 'remoteRead' }>

interface Sink {
  send(part: Uint8Array<ArrayBuffer>): void
  /** Called every few milliseconds; throws when the query has to end. */
  check(): void
  /** Makes sure that the read may hold so many bytes; gives the reason if it may not. */
  cover?(bytes: number): string | undefined
}

/** Frames are sent when they have so many bytes together. */
const partBytes = 64 * 1024
/** Of an answer of samples, compressed. */
const answerBytesMax = 1024 ** 3
/** Keeps so many samples of a series for the next one. */
const keptSamplesMax = 1024 * 1024
/** A time and a value. */
const sampleBytes = 16
/** What JavaScript's dates and a chunk's times can say. */
const timeMsMax = 8.64e15
const noSamples = Uint8Array.of(0, 0)

/** Sends the whole answer. Throws a QueryError with Prometheus' text; `bytesMax` bounds an answer of samples, compressed; 1 GiB. */
export function answerRemoteRead(call: RemoteReadCall, reader: Queryable, sink: Sink, bytesMax = answerBytesMax): void {
  // All series are selected before the first byte goes: a block that has gone meanwhile lets the query begin anew.
  const sets = call.queries.map(({ matchers, startMs, endMs }) => reader.select(matchers.map(toMatcher), startMs, endMs))
  const externalLabels = Labels.fromPairs(call.externalLabels)
  if (call.streams) sendChunks(call, sets, externalLabels, sink)
  else sendSamples(call, sets, externalLabels, sink, bytesMax)
}

function toMatcher({ type, name, value }: ReadMatcher): Matcher {
  try {
    return new Matcher(type, name, value)
  } catch (cause) {
    if (cause instanceof RegexSyntaxError) throw new QueryError('bad_data', cause.message, { cause })
    throw cause
  }
}

function sendSamples(call: RemoteReadCall, sets: readonly SeriesSet[], externalLabels: Labels, sink: Sink, bytesMax: number): void {
  const { queries, samplesMax } = call
  const writer = new ReadResponseWriter(bytesMax)
  let columns = new SampleColumns()
  let histograms = new HistogramColumns()
  try {
    for (const [i, set] of sets.entries()) {
      let count = 0
      while (set.next()) {
        sink.check()
        columns.clear()
        histograms.clear()
        if (queries[i]!.wantsSamples) {
          set.samples(columns)
          set.histograms?.(histograms)
        }
        count += columns.length + histograms.length
        if (samplesMax > 0 && count > samplesMax) throw new QueryError('bad_data', `exceeded sample limit (${samplesMax})`)
        writer.addSeries(Labels.join(externalLabels, set.labels()).pairs, columns, histograms)
        const refusal = sink.cover?.(writer.heldBytes + columns.times.length * sampleBytes)
        if (refusal !== undefined) throw new QueryError('execution', `the answer of the read is too large: ${refusal}`)
        columns = keepSmall(columns)
        if (histograms.buckets.length > keptSamplesMax) histograms = new HistogramColumns()
      }
      writer.endQuery()
    }
    for (const piece of writer.finish()) sink.send(ownBuffer(piece))
  } catch (error) {
    if (error instanceof ReadResponseTooLargeError) throw new QueryError('execution', error.message, { cause: error })
    throw error
  }
}

function sendChunks(call: RemoteReadCall, sets: readonly SeriesSet[], externalLabels: Labels, sink: Sink): void {
  const frames = new ChunkFrameWriter(call.frameBytesMax)
  for (const [i, set] of sets.entries()) {
    const { wantsSamples, startMs, endMs } = call.queries[i]!
    while (set.next()) {
      sink.check()
      frames.openSeries(i, Labels.join(externalLabels, set.labels()).pairs)
      if (wantsSamples) {
        for (const { minTimeMs, maxTimeMs, encoding, data } of set.chunks?.() ?? mergeSamples(set)) {
          frames.addChunk(minTimeMs, maxTimeMs, encoding, data)
        }
      } else {
        // A series comes only with a chunk: one without samples says that it is there.
        frames.addChunk(Math.max(-timeMsMax, startMs), Math.min(timeMsMax, endMs), xorEncoding, noSamples)
      }
      frames.closeSeries()
      if (frames.length >= partBytes) sink.send(frames.take())
    }
  }
  if (frames.length > 0) sink.send(frames.take())
}

/** Of a series whose sources overlap. */
function mergeSamples(set: SeriesSet): SeriesChunk[] {
  const columns = new SampleColumns()
  const chunks: SeriesChunk[] = []
  const histograms = new HistogramColumns()
  set.samples(columns)
  set.histograms?.(histograms)
  encodeMixedChunks(columns, histograms, chunks)
  return chunks
}

function keepSmall(columns: SampleColumns): SampleColumns {
  return columns.times.length > keptSamplesMax ? new SampleColumns() : columns
}

/** The bytes in a buffer that has nothing else and so can change threads. */
function ownBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const isWhole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
  return isWhole ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes)
}

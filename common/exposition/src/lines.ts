import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { isValidLegacyMetricName } from '@narthex/model/name'

// The form into which bodies are rewritten that are not line based, or whose lines have to change before they are samples; LineParser reads
// it. It is made for one thing: that equal samples of two scrapes are equal bytes, with the series first and the value behind it.
//
// sample    ┌ series text ┬ ' ' ┬ 0 1 B ┬ flags 1 B ┬ value 8 B ┬ [timestamp 8 B] ┬ [start 8 B] ┬ [histogram] ┬ [exemplars] ┐
//             The series text is that of text 0.0.4: name{a="b"} or {"my.name",a="b"}. No number begins with a zero byte, so a reader that
//             expects a text value behind the series sees at once that there is none. Value, timestamp and start are float64 little
//             endian, the latter two in milliseconds; the value of a histogram is NaN.
// flags       1 timestamp, 2 start, 4 histogram, 8 gauge histogram, 16 exemplars
// histogram ┌ length 4 B le ┬ io.prometheus.client.Histogram, with the bounds of custom buckets as field 1000 ┐
// exemplars ┌ length 4 B le ┬ io.prometheus.client.Exemplar, each behind its length as a varint ┐
// metadata  ┌ '# TYPE ' or '# HELP ' or '# UNIT ' ┬ name, quoted if it must be ┬ ' ' ┬ text, escaped as a label value ┬ '\n' ┐
//
// Every part says how long it is, so no line is the beginning of another.

export const timestampFlag = 1
export const startFlag = 2
export const histogramFlag = 4
export const gaugeFlag = 8
export const exemplarsFlag = 16

/** A target's body may repeat long labels on every bucket line: what would be rewritten to more than this is refused. */
export const linesBytesMax = 512 * 1024 * 1024

/** The part behind the series text up to the first block; `flags` decides whether the two times are written. */
export function putValue(out: ByteWriter, flags: number, value: number, timestampMs: number, startMs: number): void {
  out.reserve(27)
  const { bytes } = out
  bytes[out.length] = 32
  bytes[out.length + 1] = 0
  bytes[out.length + 2] = flags
  out.length += 3
  out.f64le(value)
  if ((flags & timestampFlag) !== 0) out.f64le(timestampMs)
  if ((flags & startFlag) !== 0) out.f64le(startMs)
}

/** Opens a block whose length is not known yet; returns what `endBlock` wants. */
export function beginBlock(out: ByteWriter): number {
  out.u32le(0)
  return out.length
}

export function endBlock(out: ByteWriter, start: number): void {
  const length = out.length - start
  const { bytes } = out
  bytes[start - 4] = length
  bytes[start - 3] = length >>> 8
  bytes[start - 2] = length >>> 16
  bytes[start - 1] = length >>> 24
}

export function putMetadata(out: ByteWriter, word: 'TYPE' | 'HELP' | 'UNIT', name: string, text: string): void {
  out.utf8(`# ${word} ${isValidLegacyMetricName(name) ? name : `"${escapeText(name)}"`} ${escapeText(text)}\n`)
}

export function escapeText(text: string): string {
  return /[\\"\n]/.test(text) ? text.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`)) : text
}

/** The bytes [start, end) of UTF-8 as the inside of a quoted string. */
export function putEscaped(out: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  out.reserve((end - start) * 2)
  const target = out.bytes
  let at = out.length
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if (byte === 34 || byte === 92 || byte === 10) target[at++] = 92
    target[at++] = byte === 10 ? 110 : byte
  }
  out.length = at
}

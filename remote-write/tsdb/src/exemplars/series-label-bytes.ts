import type { ByteWriter } from '@narthex/bytes/byte-writer'
import type { Head } from '../head/head.ts'
import { wordMask, wordShift } from '../head/shared-arena.ts'

/** The labels of a series of the head as a log record has them: ┌ count uvarint ┬ (length uvarint ┬ bytes)* ┐, sorted by name. */
export function putSeriesLabels(writer: ByteWriter, head: Head, ref: number): void {
  const { symbols, pairs } = head
  const list = head.labelList(ref)
  const words = head.memory.labels.words[list >>> wordShift]!
  const at = list & wordMask
  const count = words[at]!
  writer.uvarint(count)
  for (let i = 1; i <= count; i++) {
    const pair = words[at + i]!
    for (const symbol of [pairs.name(pair), pairs.value(pair)]) {
      const length = symbols.length(symbol)
      writer.uvarint(length)
      writer.reserve(length)
      writer.length = symbols.copy(symbol, writer.bytes, writer.length)
    }
  }
}

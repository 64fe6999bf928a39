import type { ByteReader } from '@narthex/bytes/byte-reader'

/** One series of an index, owned by the caller and filled anew by each read; its arrays are replaced when they grow. */
export class BlockSeries {
  /** What postings and tombstones call the series. */
  reference = 0
  labelCount = 0
  /** Ordinals of symbols: name, value, name, value, … in the order of names. */
  labels = new Uint32Array(32)
  chunkCount = 0
  /** Milliseconds, both ends included; ascending, without overlap. */
  minTimes = new Float64Array(8)
  maxTimes = new Float64Array(8)
  /** Number of the file (the first is 0) × 2^32 + offset in it: a whole number below 2^53. */
  chunks = new Float64Array(8)
}

const chunkFieldsMin = 3

/**
 * Fills `into` from ┌ labels uvarint ┬ (name ┬ value)* ┬ chunks uvarint ┬ first time varint ┬ last - first uvarint ┬ chunk uvarint
 * ┬ (first - last of the one before uvarint ┬ last - first uvarint ┬ change of chunk varint)* ┐. Symbols stay as the file has them.
 * Throws a `RangeError` where the bytes end too early or have more chunks or labels than fit.
 */
export function decodeSeriesEntry(reader: ByteReader, into: BlockSeries): void {
  const labelCount = reader.uvarint()
  if (labelCount * 2 > reader.remaining) throw new RangeError(`${labelCount} labels do not fit into ${reader.remaining} bytes`)
  if (into.labels.length < labelCount * 2) into.labels = new Uint32Array(labelCount * 4)
  into.labelCount = labelCount
  for (let i = 0; i < labelCount * 2; i++) {
    const reference = reader.uvarint()
    if (reference > 0xffffffff) throw new RangeError(`want a symbol of 32 bits, got ${reference}`)
    into.labels[i] = reference
  }
  decodeChunkList(reader, into)
  if (reader.remaining > 0) throw new RangeError(`want the end of the series, got ${reader.remaining} more bytes`)
}

function decodeChunkList(reader: ByteReader, into: BlockSeries): void {
  const count = reader.uvarint()
  if (count * chunkFieldsMin > reader.remaining) throw new RangeError(`${count} chunks do not fit into ${reader.remaining} bytes`)
  if (into.chunks.length < count) {
    into.minTimes = new Float64Array(count * 2)
    into.maxTimes = new Float64Array(count * 2)
    into.chunks = new Float64Array(count * 2)
  }
  into.chunkCount = count
  const { minTimes, maxTimes, chunks } = into
  let chunk = 0
  let time = 0
  for (let i = 0; i < count; i++) {
    time = i === 0 ? reader.varint() : time + reader.uvarint()
    minTimes[i] = time
    time += reader.uvarint()
    maxTimes[i] = time
    chunk = i === 0 ? reader.uvarint() : chunk + reader.varint()
    if (!(chunk >= 0 && chunk <= Number.MAX_SAFE_INTEGER)) throw new RangeError(`want a chunk reference below 2^53, got ${chunk}`)
    chunks[i] = chunk
  }
}

import { ByteReader } from '@narthex/bytes/byte-reader'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { codeOfMetricType, metricTypeOfCode } from '@narthex/wire/metric-type-codes'
import { locateSymbols } from '@narthex/wire/symbol-table'
import { createHeader, headerBytes, layoutFrame, putHeader } from './frame-header.ts'
import { nextLayoutId, noFamily } from './frame.ts'
import type { FamilyMetadata, SeriesLayout } from './frame.ts'
import { FrameError } from './sample-frame.ts'

const header = createHeader()
/** Texts go through here for their length in bytes: an encoder would make an array of each. */
const textBytes = new ByteWriter(256)
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Appends the frame that later sample frames of the layout refer to (FORMAT.md, "Layout frame"); `sequence` is that of the next sample frame. */
export function putLayoutFrame(out: ByteWriter, sequence: number, run: number, layout: SeriesLayout): void {
  const at = out.length
  out.reserve(headerBytes)
  out.length = at + headerBytes
  out.uvarint(layout.target)
  out.uvarint(layout.symbolCount)
  out.uvarint(layout.symbolBytes.length)
  out.uvarint(layout.seriesCount)
  out.uvarint(layout.seriesRefs.length)
  out.raw(layout.symbolBytes)
  out.raw(layout.seriesRefs)
  putFamilies(out, layout)
  header.kind = layoutFrame
  header.columns = 0
  header.count = layout.seriesCount
  header.sequence = sequence
  header.minTimeMs = 0
  header.maxTimeMs = 0
  header.layoutHigh = run
  header.layoutLow = layout.id
  putHeader(out.bytes, at, out.length, header)
}

function putFamilies(out: ByteWriter, layout: SeriesLayout): void {
  const { families, familyOfSeries } = layout
  out.uvarint(familyOfSeries === undefined ? 0 : families.length)
  if (familyOfSeries === undefined) return
  for (const family of families) {
    putText(out, family.name)
    out.uvarint(codeOfMetricType(family.type))
    putText(out, family.help)
    putText(out, family.unit)
  }
  for (let i = 0; i < layout.seriesCount; i++) out.uvarint(familyOfSeries[i] === noFamily ? 0 : familyOfSeries[i]! + 1)
}

function putText(out: ByteWriter, text: string): void {
  textBytes.reset()
  out.uvarint(textBytes.utf8(text))
  out.raw(textBytes.bytes, 0, textBytes.length)
}

/** The layout of a whole payload, with arrays of its own. Throws `FrameError` if it is not one. */
export function readLayout(bytes: Uint8Array, start: number, end: number): SeriesLayout {
  try {
    const reader = new ByteReader(bytes, start, end)
    const target = reader.uvarint()
    const symbolCount = reader.uvarint()
    const symbolLength = reader.uvarint()
    const seriesCount = reader.uvarint()
    const refsLength = reader.uvarint()
    const symbolBytes = take(reader, symbolLength)
    const seriesRefs = take(reader, refsLength)
    locateSymbols(symbolBytes, symbolCount)
    const seriesRefOffsets = locateSeries(seriesRefs, seriesCount, symbolCount)
    const families: FamilyMetadata[] = []
    const familyCount = reader.uvarint()
    for (let i = 0; i < familyCount; i++) {
      const name = takeText(reader)
      families.push({ name, type: metricTypeOfCode(reader.uvarint()), help: takeText(reader), unit: takeText(reader) })
    }
    const familyOfSeries = familyCount === 0 ? undefined : takeFamilyOfSeries(reader, seriesCount, familyCount)
    return { id: nextLayoutId(), target, symbolBytes, symbolCount, seriesRefs, seriesRefOffsets, seriesCount, families, familyOfSeries }
  } catch (cause) {
    if (cause instanceof RangeError) throw new FrameError('cannot read layout', { cause })
    throw cause
  }
}

function take(reader: ByteReader, length: number): Uint8Array {
  if (length > reader.remaining) throw new RangeError(`cannot read ${length} bytes: want at most ${reader.remaining}`)
  const taken = reader.bytes.slice(reader.offset, reader.offset + length)
  reader.offset += length
  return taken
}

function takeText(reader: ByteReader): string {
  return decoder.decode(take(reader, reader.uvarint()))
}

function takeFamilyOfSeries(reader: ByteReader, seriesCount: number, familyCount: number): Uint32Array {
  const familyOfSeries = new Uint32Array(seriesCount)
  for (let i = 0; i < seriesCount; i++) {
    const family = reader.uvarint()
    if (family > familyCount) throw new RangeError(`cannot read family of series ${i}: want at most ${familyCount}, got ${family}`)
    familyOfSeries[i] = family === 0 ? noFamily : family - 1
  }
  return familyOfSeries
}

/** Where the series lie in `refs`, after a check that each is one `labels_refs` field with an even number of references in range. */
export function locateSeries(refs: Uint8Array, seriesCount: number, symbolCount: number): Uint32Array {
  if (seriesCount > refs.length) throw new RangeError(`cannot locate series: want ${seriesCount} in ${refs.length} bytes`)
  const offsets = new Uint32Array(seriesCount + 1)
  const reader = new ByteReader(refs)
  for (let i = 0; i < seriesCount; i++) {
    offsets[i] = reader.offset
    if (reader.u8() !== 0x0a) throw new RangeError(`cannot locate series ${i}: want tag 10`)
    const fieldEnd = reader.uvarint() + reader.offset
    let count = 0
    for (; reader.offset < fieldEnd; count++) {
      const ref = reader.uvarint()
      if (ref > symbolCount) throw new RangeError(`cannot locate series ${i}: want references up to ${symbolCount}, got ${ref}`)
    }
    if (reader.offset !== fieldEnd || count % 2 === 1)
      throw new RangeError(`cannot locate series ${i}: references do not fill the field in pairs`)
  }
  offsets[seriesCount] = reader.offset
  if (reader.remaining > 0) throw new RangeError(`cannot locate series: ${reader.remaining} bytes behind the last`)
  return offsets
}

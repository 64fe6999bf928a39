import { ByteWriter } from '@narthex/bytes/byte-writer'
import { putLabelFields } from '@narthex/wire/label-fields'
import { codeOfMetricType } from '@narthex/wire/metric-type-codes'
import { RemoteWrite1Writer } from '@narthex/wire/remote-write-1-writer'
import { RemoteWrite2Writer } from '@narthex/wire/remote-write-2-writer'
import { compress } from '@narthex/wire/snappy'
import type { PushedPage } from './pushed-series.ts'

/** Uncompressed bytes above which the next request begins: less than what receivers take. */
const requestBytesMax = 1024 * 1024

/** The page as remote-write requests, each a snappy block; each body is valid until the next. */
export function encodePushRequests(page: PushedPage, version: 1 | 2): Iterable<Uint8Array> {
  return version === 1 ? encodeVersion1(page) : encodeVersion2(page)
}

function* encodeVersion1({ samples, families }: PushedPage): Generator<Uint8Array> {
  const [writer, labels] = [new RemoteWrite1Writer(), new ByteWriter(1024)]
  for (const { name, type, help, unit } of families) writer.metadata({ family: name, type, help, unit })
  for (const { labels: given, value, timeMs } of samples) {
    labels.reset()
    putLabelFields(labels, given.pairs)
    writer.labelled(labels.bytes, 0, labels.length, timeMs, ...wordsOf(value))
    if (writer.length < requestBytesMax) continue
    yield compress(writer.view())
    writer.reset()
  }
  if (writer.length > 0) yield compress(writer.view())
}

function* encodeVersion2({ samples }: PushedPage): Generator<Uint8Array> {
  const [writer, refs, body] = [new RemoteWrite2Writer(), new ByteWriter(1024), new ByteWriter(1024)]
  let symbols = new Map<string, number>()
  const refOf = (text: string): number => {
    const known = symbols.get(text)
    if (known !== undefined) return known
    const made = writer.addSymbol(text)
    symbols.set(text, made)
    return made
  }
  for (const { labels, value, timeMs, family } of samples) {
    body.reset()
    for (const text of labels.pairs) body.uvarint(refOf(text))
    refs.reset()
    refs.u8(0x0a)
    refs.uvarint(body.length)
    refs.raw(body.bytes, 0, body.length)
    const metadata = [codeOfMetricType(family.type), refOf(family.help), refOf(family.unit)] as const
    writer.series(refs.bytes, 0, refs.length, undefined, timeMs, ...wordsOf(value), ...metadata)
    if (writer.length < requestBytesMax) continue
    yield compress(writer.view())
    writer.reset()
    symbols = new Map()
  }
  if (writer.sampleCount > 0) yield compress(writer.view())
}

const words = new DataView(new ArrayBuffer(8))

function wordsOf(value: number): readonly [low: number, high: number] {
  words.setFloat64(0, value, true)
  return [words.getUint32(0, true), words.getUint32(4, true)]
}

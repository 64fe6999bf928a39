import { ByteWriter } from '@narthex/bytes/byte-writer'

const texts = new ByteWriter(256)
const label = new ByteWriter(256)

/**
 * Appends `labels` fields (number 1, as in `TimeSeries` and `ChunkedSeries`) of name, value, …. Gives the bytes of the `Label` messages alone,
 * without tags and lengths.
 */
export function putLabelFields(out: ByteWriter, pairs: readonly string[]): number {
  let messageBytes = 0
  for (let i = 0; i < pairs.length; i += 2) {
    label.reset()
    putText(0x0a, pairs[i]!)
    putText(0x12, pairs[i + 1]!)
    out.u8(0x0a)
    out.uvarint(label.length)
    out.raw(label.bytes, 0, label.length)
    messageBytes += label.length
  }
  return messageBytes
}

function putText(tag: number, text: string): void {
  if (text === '') return
  texts.reset()
  texts.utf8(text)
  label.u8(tag)
  label.uvarint(texts.length)
  label.raw(texts.bytes, 0, texts.length)
}

import type { ByteWriter } from '@narthex/bytes/byte-writer'
import type { Labels } from '@narthex/model/labels'

/** Texts that are kept in their quotes, a few megabytes at most. */
const textsKeptMax = 16_384
const textLengthMax = 256

/** Writes label sets as JSON, `{"name":"value",…}`. Series of an answer share most of their names and values: each of them is quoted once. */
export class LabelsWriter {
  readonly #writer: ByteWriter
  readonly #texts = new Map<string, string>()

  constructor(writer: ByteWriter) {
    this.#writer = writer
  }

  write({ pairs }: Labels): void {
    let json = '{'
    for (let i = 0; i < pairs.length; i += 2) {
      json += `${i > 0 ? ',' : ''}${this.#quote(pairs[i]!)}:${this.#quote(pairs[i + 1]!)}`
    }
    this.#writer.utf8(`${json}}`)
  }

  #quote(text: string): string {
    const known = this.#texts.get(text)
    if (known !== undefined) return known
    const quoted = JSON.stringify(text)
    if (text.length > textLengthMax) return quoted
    if (this.#texts.size >= textsKeptMax) this.#texts.clear()
    this.#texts.set(text, quoted)
    return quoted
  }
}

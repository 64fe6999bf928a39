import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { MetricType } from '@narthex/model/metric-type'
import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import { putMetadata } from '../wal/text-payload.ts'

/** Longer helps and units are cut, as in `MetricMetadata`. */
const textLengthMax = 4096
const payloadBytesMax = 64 * 1024 * 1024

/** Type, unit and help as the log has them, each combination once and by number; 0 is none. */
export class MetadataTexts {
  readonly #numbers = new Map<string, number>()
  readonly #payloads: Uint8Array[] = [new Uint8Array(0)]
  readonly #writer = new ByteWriter(1024)
  #bytes = 0
  /** Those for which there was no room. */
  refused = 0

  /** 0: there is no room for more. */
  numberOf(type: MetricType, unit: string, help: string): number {
    this.#writer.reset()
    putMetadata(this.#writer, { type, unit: unit.slice(0, textLengthMax), help: help.slice(0, textLengthMax) })
    return this.numberOfPayload(this.#writer.bytes, 0, this.#writer.length)
  }

  /** As `numberOf`, for the payload of a log's entry at [from, to). */
  numberOfPayload(bytes: Uint8Array, from: number, to: number): number {
    const key = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1')
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    if (this.#bytes + key.length > payloadBytesMax) {
      this.refused++
      return 0
    }
    this.#bytes += key.length
    this.#numbers.set(key, this.#payloads.length)
    return this.#payloads.push(bytes.slice(from, to)) - 1
  }

  saveState(state: StateWriter): void {
    state.array(
      'lengths',
      Uint32Array.from(this.#payloads, ({ length }) => length),
    )
    state.array('payloads', this.#payloads)
  }

  restoreState(state: StateReader): void {
    const payloads = state.bytes('payloads')
    let from = 0
    // The first one stands for none.
    for (const length of state.words('lengths').subarray(1)) this.numberOfPayload(payloads, from, (from += length))
  }

  payload(number: number): Uint8Array {
    return this.#payloads[number]!
  }
}

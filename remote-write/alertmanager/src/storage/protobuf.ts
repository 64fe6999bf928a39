import { ByteReader } from '@narthex/bytes/byte-reader'
import { ByteWriter } from '@narthex/bytes/byte-writer'

const wireVarint = 0
const wire64 = 1
const wireBytes = 2
const wire32 = 5

/** Writes one protobuf message; fields with proto3's default value are left out, as Go leaves them out. */
export class MessageWriter {
  readonly #bytes = new ByteWriter(256)

  uint(field: number, value: number): this {
    if (value === 0) return this
    this.#bytes.uvarint(field * 8 + wireVarint)
    this.#bytes.uvarint(value)
    return this
  }

  text(field: number, value: string): this {
    return value === '' ? this : this.bytes(field, Buffer.from(value))
  }

  bytes(field: number, value: Uint8Array): this {
    this.#bytes.uvarint(field * 8 + wireBytes)
    this.#bytes.uvarint(value.length)
    this.#bytes.raw(value)
    return this
  }

  message(field: number, value: MessageWriter): this {
    return this.bytes(field, value.finish())
  }

  /** A google.protobuf.Timestamp. */
  timestamp(field: number, timeNs: bigint): this {
    const nanos = ((timeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
    const message = new MessageWriter()
    const seconds = (timeNs - nanos) / 1_000_000_000n
    if (seconds !== 0n) {
      message.#bytes.uvarint(8 + wireVarint)
      writeUvarint64(message.#bytes, BigInt.asUintN(64, seconds))
    }
    return this.message(field, message.uint(2, Number(nanos)))
  }

  /** Packed 64-bit numbers. */
  packedUints(field: number, values: readonly bigint[]): this {
    if (values.length === 0) return this
    const packed = new ByteWriter(values.length * 10)
    for (const value of values) writeUvarint64(packed, value)
    return this.bytes(field, packed.view())
  }

  finish(): Uint8Array {
    return this.#bytes.view().slice()
  }
}

/** The fields of one message by number, each with its values in order: varints as bigint, everything else as bytes. */
export class MessageFields {
  readonly #values = new Map<number, (bigint | Uint8Array)[]>()

  /** Throws a RangeError if the bytes are no message. */
  constructor(bytes: Uint8Array) {
    const reader = new ByteReader(bytes)
    while (reader.remaining > 0) {
      const tag = reader.uvarint()
      const field = Math.floor(tag / 8)
      const value = readField(reader, tag % 8)
      const values = this.#values.get(field)
      if (values === undefined) this.#values.set(field, [value])
      else values.push(value)
    }
  }

  uint(field: number): number {
    const value = this.#values.get(field)?.at(-1)
    return typeof value === 'bigint' ? Number(value) : 0
  }

  text(field: number): string {
    return Buffer.from(this.bytes(field)).toString()
  }

  bytes(field: number): Uint8Array {
    const value = this.#values.get(field)?.at(-1)
    return value instanceof Uint8Array ? value : new Uint8Array(0)
  }

  message(field: number): MessageFields {
    return new MessageFields(this.bytes(field))
  }

  messages(field: number): MessageFields[] {
    const values = this.#values.get(field) ?? []
    return values.filter((value) => value instanceof Uint8Array).map((bytes) => new MessageFields(bytes))
  }

  timestamp(field: number): bigint {
    const message = this.message(field)
    return BigInt.asIntN(64, message.#varint(1)) * 1_000_000_000n + BigInt(message.uint(2))
  }

  /** Repeated 64-bit numbers, packed or not. */
  uints(field: number): bigint[] {
    const numbers: bigint[] = []
    for (const value of this.#values.get(field) ?? []) {
      if (typeof value === 'bigint') numbers.push(value)
      else for (const reader = new ByteReader(value); reader.remaining > 0;) numbers.push(readUvarint64(reader))
    }
    return numbers
  }

  #varint(field: number): bigint {
    const value = this.#values.get(field)?.at(-1)
    return typeof value === 'bigint' ? value : 0n
  }
}

/** Each message with its length as a varint before it. */
export function joinDelimited(messages: Iterable<Uint8Array>): Uint8Array {
  const bytes = new ByteWriter(4096)
  for (const message of messages) {
    bytes.uvarint(message.length)
    bytes.raw(message)
  }
  return bytes.view().slice()
}

/** Throws a RangeError at a message that is cut short. */
export function splitDelimited(bytes: Uint8Array): Uint8Array[] {
  const reader = new ByteReader(bytes)
  const messages: Uint8Array[] = []
  while (reader.remaining > 0) messages.push(reader.raw(reader.uvarint()).slice())
  return messages
}

function readField(reader: ByteReader, wire: number): bigint | Uint8Array {
  if (wire === wireVarint) return readUvarint64(reader)
  if (wire === wireBytes) return reader.raw(reader.uvarint()).slice()
  if (wire === wire64) return reader.raw(8).slice()
  if (wire === wire32) return reader.raw(4).slice()
  throw new RangeError(`cannot read protobuf field: want wire type 0, 1, 2 or 5, got ${wire}`)
}

function writeUvarint64(bytes: ByteWriter, value: bigint): void {
  let rest = value
  while (rest >= 0x80n) {
    bytes.u8(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  bytes.u8(Number(rest))
}

function readUvarint64(reader: ByteReader): bigint {
  let value = 0n
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = reader.u8()
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return BigInt.asUintN(64, value)
  }
  throw new RangeError('cannot read varint: want at most 10 bytes, got more')
}

/** Message types of D-Bus (https://dbus.freedesktop.org/doc/dbus-specification.html). */
export const methodCall = 1
export const methodReturn = 2
export const errorReply = 3

// ┌ byte order 1 B ('l') ┬ type 1 B ┬ flags 1 B ┬ version 1 B ┬ body length 4 B ┬ serial 4 B ┬ length of the header fields 4 B ┐
// header fields: array of (code 1 B, variant), aligned to 8; then padding to 8; then the body
export const fixedHeaderBytes = 16
const littleEndian = 0x6c
const protocolVersion = 1

const pathField = 1
const interfaceField = 2
const memberField = 3
const errorNameField = 4
const replySerialField = 5
const destinationField = 6
const signatureField = 8

/** Largest message, by the specification. */
export const messageBytesMax = 128 * 1024 * 1024

export interface MethodCall {
  readonly serial: number
  /** Absent on a connection without a bus. */
  readonly destination?: string
  readonly path: string
  readonly interface: string
  readonly member: string
  /** Arguments are strings. */
  readonly args: readonly string[]
}

/** Bytes of a method call. Names and arguments are printed as UTF-8. */
export function encodeMethodCall(call: MethodCall): Buffer {
  const body = new MessageWriter(call.args.reduce((sum, text) => sum + 3 * text.length + 8, 0))
  for (const text of call.args) body.string(text)
  const names = [call.path, call.interface, call.member, call.destination ?? '']
  const header = new MessageWriter(fixedHeaderBytes + names.reduce((sum, text) => sum + 3 * text.length + 24, call.args.length + 24))
  header.byte(littleEndian)
  header.byte(methodCall)
  header.byte(0)
  header.byte(protocolVersion)
  header.uint32(body.length)
  header.uint32(call.serial)
  const fieldsLengthAt = header.length
  header.uint32(0)
  const fieldsStart = header.length
  header.stringField(pathField, 'o', call.path)
  header.stringField(interfaceField, 's', call.interface)
  header.stringField(memberField, 's', call.member)
  if (call.destination !== undefined) header.stringField(destinationField, 's', call.destination)
  if (call.args.length > 0) header.signatureField(signatureField, 's'.repeat(call.args.length))
  header.patchUint32(fieldsLengthAt, header.length - fieldsStart)
  header.align(8)
  return Buffer.concat([header.bytes(), body.bytes()])
}

class MessageWriter {
  readonly #buffer: Buffer
  length = 0

  constructor(bytesMax: number) {
    this.#buffer = Buffer.alloc(bytesMax + 8)
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.length)
  }

  byte(value: number): void {
    this.#buffer[this.length++] = value
  }

  uint32(value: number): void {
    this.align(4)
    this.length = this.#buffer.writeUInt32LE(value, this.length)
  }

  patchUint32(offset: number, value: number): void {
    this.#buffer.writeUInt32LE(value, offset)
  }

  string(text: string): void {
    this.uint32(Buffer.byteLength(text))
    this.length += this.#buffer.write(text, this.length) + 1
  }

  signature(text: string): void {
    this.byte(text.length)
    this.length += this.#buffer.write(text, this.length) + 1
  }

  stringField(code: number, type: string, text: string): void {
    this.align(8)
    this.byte(code)
    this.signature(type)
    this.string(text)
  }

  signatureField(code: number, text: string): void {
    this.align(8)
    this.byte(code)
    this.signature('g')
    this.signature(text)
  }

  align(size: number): void {
    this.length = Math.ceil(this.length / size) * size
  }
}

/** What stands before a message's body. */
export interface MessageHead {
  readonly type: number
  readonly replySerial: number
  readonly errorName: string
  readonly signature: string
  readonly bodyStart: number
}

/** Bytes of the whole message of which at least `fixedHeaderBytes` are there. Throws for what is no D-Bus message, or a too large one. */
export function readMessageLength(bytes: Buffer, offset: number): number {
  if (bytes[offset] !== littleEndian || bytes[offset + 3] !== protocolVersion) {
    throw new Error(`cannot read D-Bus message: want little endian and version 1, got ${bytes[offset]} and ${bytes[offset + 3]}`)
  }
  const fieldsLength = bytes.readUInt32LE(offset + 12)
  const length = fixedHeaderBytes + Math.ceil(fieldsLength / 8) * 8 + bytes.readUInt32LE(offset + 4)
  if (length > messageBytesMax) throw new Error(`cannot read D-Bus message: want at most ${messageBytesMax} bytes, got ${length}`)
  return length
}

/** Reads the head of a whole message. */
export function readMessageHead(message: Buffer): MessageHead {
  const fieldsEnd = fixedHeaderBytes + message.readUInt32LE(12)
  const reader = new MessageReader(message, fixedHeaderBytes)
  let replySerial = 0
  let errorName = ''
  let signature = ''
  while (reader.offset < fieldsEnd) {
    reader.align(8)
    const code = reader.byte()
    const value = reader.variant()
    if (code === replySerialField) replySerial = Number(value)
    else if (code === errorNameField) errorName = String(value)
    else if (code === signatureField) signature = String(value)
  }
  return { type: message[1]!, replySerial, errorName, signature, bodyStart: Math.ceil(fieldsEnd / 8) * 8 }
}

/** Walks over the values of a message. Offsets count from the message's start, on which alignment depends. Reads beyond its end throw. */
export class MessageReader {
  readonly #bytes: Buffer
  offset: number

  constructor(bytes: Buffer, offset: number) {
    this.#bytes = bytes
    this.offset = offset
  }

  align(size: number): void {
    this.offset = Math.ceil(this.offset / size) * size
  }

  byte(): number {
    const value = this.#bytes.readUInt8(this.offset)
    this.offset++
    return value
  }

  uint32(): number {
    this.align(4)
    const value = this.#bytes.readUInt32LE(this.offset)
    this.offset += 4
    return value
  }

  string(): string {
    const length = this.uint32()
    const start = this.offset
    this.#skip(length + 1)
    return this.#bytes.toString('utf8', start, start + length)
  }

  skipString(): void {
    const length = this.uint32()
    this.#skip(length + 1)
  }

  signature(): string {
    const length = this.byte()
    const start = this.offset
    this.#skip(length + 1)
    return this.#bytes.toString('latin1', start, start + length)
  }

  /** The value of a variant of one of the basic types; 64-bit integers as bigint. Throws for others. */
  variant(): string | number | bigint | boolean {
    return this.#basic(this.signature())
  }

  #basic(type: string): string | number | bigint | boolean {
    switch (type) {
      case 's':
      case 'o':
        return this.string()
      case 'g':
        return this.signature()
      case 'y':
        return this.byte()
      case 'b':
        return this.uint32() !== 0
      case 'u':
      case 'h':
        return this.uint32()
      case 'i':
        return this.uint32() | 0
      case 'n':
      case 'q':
        return this.#uint16(type === 'n')
      case 't':
      case 'x':
        return this.#uint64(type === 'x')
      case 'd':
        return this.#double()
      default:
        throw new Error(`cannot read D-Bus variant: want a basic type, got ${type}`)
    }
  }

  #uint16(isSigned: boolean): number {
    this.align(2)
    const value = isSigned ? this.#bytes.readInt16LE(this.offset) : this.#bytes.readUInt16LE(this.offset)
    this.offset += 2
    return value
  }

  #uint64(isSigned: boolean): bigint {
    this.align(8)
    const value = isSigned ? this.#bytes.readBigInt64LE(this.offset) : this.#bytes.readBigUInt64LE(this.offset)
    this.offset += 8
    return value
  }

  #double(): number {
    this.align(8)
    const value = this.#bytes.readDoubleLE(this.offset)
    this.offset += 8
    return value
  }

  #skip(length: number): void {
    this.offset += length
    if (this.offset > this.#bytes.length) throw new Error(`cannot read D-Bus message: want ${this.offset} bytes, got ${this.#bytes.length}`)
  }
}

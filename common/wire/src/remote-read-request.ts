import { ByteWriter } from '@narthex/bytes/byte-writer'
import { readInside, readText } from './label-messages.ts'
import { ProtobufCursor, WireError } from './protobuf-cursor.ts'
import { putInt64 } from './sample-field.ts'

/** The answers a client may ask for; the codes are those of `ReadRequest.ResponseType`. */
export const samplesResponse = 0
export const chunksResponse = 1

/** Of one request; Prometheus sends one query a request. */
export const readQueriesMax = 1_000
/** Of all queries of a request. */
export const readMatchersMax = 10_000

/** The codes of `LabelMatcher.Type`, in their order. */
const matchTypes = ['=', '!=', '=~', '!~'] as const

export interface ReadMatcher {
  readonly type: (typeof matchTypes)[number]
  readonly name: string
  readonly value: string
}

/** What the query around a selector says of it. */
export interface ReadHints {
  /** The function around the selector; `series` = the samples are not wanted. */
  readonly function: string
  /** Milliseconds, both ends included. */
  readonly startMs: number
  readonly endMs: number
}

export interface ReadQuery {
  /** Milliseconds, both ends included; beyond ±2^53 rounded. */
  readonly startMs: number
  readonly endMs: number
  readonly matchers: readonly ReadMatcher[]
  readonly hints?: ReadHints
}

export interface ReadRequest {
  readonly queries: readonly ReadQuery[]
  /** Codes of response types, the one liked best first; others than the two above may be among them. */
  readonly acceptedResponses: readonly number[]
}

/** Reads a `prometheus.ReadRequest` (FORMAT.md, "Remote read"). Throws WireError. */
export function readReadRequest(bytes: Uint8Array): ReadRequest {
  return new RequestReader(bytes).read()
}

/** A `prometheus.ReadRequest`, not compressed. */
export function encodeReadRequest({ queries, acceptedResponses }: ReadRequest): Uint8Array {
  const out = new ByteWriter()
  for (const query of queries) putMessage(out, 0x0a, encodeQuery(query))
  const types = new ByteWriter(16)
  for (const type of acceptedResponses) types.uvarint(type)
  if (types.length > 0) putMessage(out, 0x12, types)
  return out.view()
}

const acceptedMax = 16

class RequestReader {
  readonly #cursor = new ProtobufCursor()
  readonly #queries: ReadQuery[] = []
  readonly #accepted: number[] = []
  #matcherCount = 0

  constructor(bytes: Uint8Array) {
    this.#cursor.reset(bytes, 0, bytes.length)
  }

  read(): ReadRequest {
    const cursor = this.#cursor
    while (cursor.at < cursor.end) {
      const tag = cursor.tag()
      if (tag >>> 3 === 1) readInside(cursor, tag, () => this.#readQuery())
      else if (tag >>> 3 === 2) this.#readAccepted(tag)
      else cursor.skip(tag)
    }
    return { queries: this.#queries, acceptedResponses: this.#accepted }
  }

  #readAccepted(tag: number): void {
    const cursor = this.#cursor
    if ((tag & 7) === 0) return this.#accept(cursor.varint())
    readInside(cursor, tag, () => {
      while (cursor.at < cursor.end) this.#accept(cursor.varint())
    })
  }

  #accept(type: number): void {
    if (this.#accepted.length === acceptedMax)
      throw new WireError(`cannot read request: want at most ${acceptedMax} response types, got more`)
    this.#accepted.push(type)
  }

  #readQuery(): void {
    if (this.#queries.length === readQueriesMax) {
      throw new WireError(`cannot read request: want at most ${readQueriesMax} queries, got more`)
    }
    const cursor = this.#cursor
    let startMs = 0
    let endMs = 0
    const matchers: ReadMatcher[] = []
    let hints: ReadHints | undefined
    while (cursor.at < cursor.end) {
      const tag = cursor.tag()
      if (tag >>> 3 === 1) startMs = this.#int64(tag)
      else if (tag >>> 3 === 2) endMs = this.#int64(tag)
      else if (tag >>> 3 === 3) readInside(cursor, tag, () => matchers.push(this.#readMatcher()))
      else if (tag >>> 3 === 4) readInside(cursor, tag, () => (hints = this.#readHints()))
      else cursor.skip(tag)
    }
    this.#queries.push({ startMs, endMs, matchers, ...(hints === undefined ? {} : { hints }) })
  }

  #readMatcher(): ReadMatcher {
    if (++this.#matcherCount > readMatchersMax) {
      throw new WireError(`cannot read request: want at most ${readMatchersMax} matchers, got more`)
    }
    const cursor = this.#cursor
    let type = 0
    let name = ''
    let value = ''
    while (cursor.at < cursor.end) {
      const tag = cursor.tag()
      if (tag >>> 3 === 1) {
        cursor.expectWireType(tag, 0)
        type = cursor.varint()
      } else if (tag >>> 3 === 2) name = readText(cursor, tag)
      else if (tag >>> 3 === 3) value = readText(cursor, tag)
      else cursor.skip(tag)
    }
    if (type >= matchTypes.length) throw new WireError('invalid matcher type')
    return { type: matchTypes[type]!, name, value }
  }

  #readHints(): ReadHints {
    const cursor = this.#cursor
    let text = ''
    let startMs = 0
    let endMs = 0
    while (cursor.at < cursor.end) {
      const tag = cursor.tag()
      if (tag >>> 3 === 2) text = readText(cursor, tag)
      else if (tag >>> 3 === 3) startMs = this.#int64(tag)
      else if (tag >>> 3 === 4) endMs = this.#int64(tag)
      else cursor.skip(tag)
    }
    return { function: text, startMs, endMs }
  }

  #int64(tag: number): number {
    this.#cursor.expectWireType(tag, 0)
    return this.#cursor.int64()
  }
}

function encodeQuery({ startMs, endMs, matchers, hints }: ReadQuery): ByteWriter {
  const out = new ByteWriter()
  putTime(out, 0x08, startMs)
  putTime(out, 0x10, endMs)
  for (const { type, name, value } of matchers) {
    const matcher = new ByteWriter()
    const code = matchTypes.indexOf(type)
    if (code !== 0) {
      matcher.u8(0x08)
      matcher.u8(code)
    }
    putText(matcher, 0x12, name)
    putText(matcher, 0x1a, value)
    putMessage(out, 0x1a, matcher)
  }
  if (hints !== undefined) {
    const message = new ByteWriter()
    putText(message, 0x12, hints.function)
    putTime(message, 0x18, hints.startMs)
    putTime(message, 0x20, hints.endMs)
    putMessage(out, 0x22, message)
  }
  return out
}

function putTime(out: ByteWriter, tag: number, timeMs: number): void {
  if (timeMs === 0) return
  out.u8(tag)
  out.reserve(10)
  out.length = putInt64(out.bytes, out.length, timeMs)
}

function putText(out: ByteWriter, tag: number, text: string): void {
  if (text === '') return
  const bytes = new ByteWriter(text.length)
  bytes.utf8(text)
  putMessage(out, tag, bytes)
}

function putMessage(out: ByteWriter, tag: number, message: ByteWriter): void {
  out.u8(tag)
  out.uvarint(message.length)
  out.raw(message.bytes, 0, message.length)
}

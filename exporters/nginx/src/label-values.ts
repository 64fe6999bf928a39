import type { AnchoredRegex } from '@narthex/model/regex'

/** Longer values are taken for others. */
export const labelValueBytesMax = 128
/** Id and text of all values that have none of their own. */
export const otherId = 0
export const otherText = 'other'
/** Values whose verdict is remembered, those that are not allowed included. */
const rememberedMax = 4096
const slotCount = rememberedMax * 2

/**
 * The values of one label, found by their bytes: the first ones get ids from 1 on, up to a limit. Clients can make up values (a Host header),
 * so all others are one: `other`. No string is made for a value that is known.
 */
export class LabelValues {
  readonly #valuesMax: number
  // Clients choose the values: they must not know which of them collide.
  readonly #seed = Math.trunc(Math.random() * 0x7fffffff)
  readonly #allowed: AnchoredRegex | undefined
  readonly #texts: string[] = [otherText]
  // Open addressing; a slot holds the number of an entry from 1 on.
  readonly #slots = new Uint16Array(slotCount)
  readonly #hashes = new Int32Array(rememberedMax + 1)
  readonly #entries: Uint8Array[] = [new Uint8Array(0)]
  readonly #ids = new Uint32Array(rememberedMax + 1)

  /** Times that a value was counted as `other`. */
  others = 0
  /** There were more values than have room. */
  isFull = false

  constructor(valuesMax: number, allowed?: AnchoredRegex) {
    this.#valuesMax = valuesMax
    this.#allowed = allowed
  }

  get size(): number {
    return this.#texts.length
  }

  text(id: number): string {
    return this.#texts[id]!
  }

  /** Id of the value in `bytes[start, end)`. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start
    if (length > labelValueBytesMax) return this.#countOther()
    let hash = this.#seed ^ length
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
    hash ^= hash >>> 15
    let slot = hash & (slotCount - 1)
    for (let entry = this.#slots[slot]!; entry !== 0; entry = this.#slots[slot]!) {
      if (this.#hashes[entry] === hash && equals(this.#entries[entry]!, bytes, start, length)) {
        const id = this.#ids[entry]!
        return id === otherId ? this.#countOther() : id
      }
      slot = (slot + 1) & (slotCount - 1)
    }
    // A copy: the slice of a Buffer is none.
    return this.#add(new Uint8Array(bytes.subarray(start, end)), hash, slot)
  }

  #add(value: Uint8Array, hash: number, slot: number): number {
    const text = decodeValue(value)
    const isAllowed = this.#allowed?.test(text) !== false
    const hasRoom = this.#texts.length <= this.#valuesMax
    const id = isAllowed && hasRoom ? this.#idOf(text) : otherId
    if (isAllowed && !hasRoom) this.isFull = true
    const entry = this.#entries.length
    if (entry <= rememberedMax) {
      this.#entries.push(value)
      this.#hashes[entry] = hash
      this.#ids[entry] = id
      this.#slots[slot] = entry
    }
    return id === otherId ? this.#countOther() : id
  }

  /** Two spellings may be one text (bytes that are no UTF-8), and a value may be `other` itself. */
  #idOf(text: string): number {
    const known = this.#texts.indexOf(text)
    return known >= 0 ? known : this.#texts.push(text) - 1
  }

  #countOther(): number {
    this.others++
    return otherId
  }
}

/** The value without the escapes of `escape=default` (`\x22`) and `escape=json` (`\u0022`, `\"`). */
function decodeValue(value: Uint8Array): string {
  const text = new TextDecoder().decode(value)
  if (!text.includes('\\')) return text
  const bytes: number[] = []
  const encoder = new TextEncoder()
  const escape = /\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|(.))|[^\\]+|\\/gs
  for (const [whole, hex, unicode, single] of text.matchAll(escape)) {
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16))
    else if (unicode !== undefined) bytes.push(...encoder.encode(String.fromCharCode(Number.parseInt(unicode, 16))))
    else bytes.push(...encoder.encode(single ?? whole))
  }
  return new TextDecoder().decode(Uint8Array.from(bytes))
}

function equals(known: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (known.length !== length) return false
  for (let i = 0; i < length; i++) if (known[i] !== bytes[start + i]) return false
  return true
}

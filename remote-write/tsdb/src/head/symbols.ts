import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import { hashSeedAt, symbolCountAt, symbolDirectoryAt } from './head-memory.ts'
import type { HeadMemory } from './head-memory.ts'
import { wordMask, wordShift } from './shared-arena.ts'
import type { SharedArena } from './shared-arena.ts'
import { mix32, SharedTable } from './shared-table.ts'

/** A longer label name or value is refused: it would not fit beside others into a 4 MiB window. */
export const symbolBytesMax = 1024 * 1024

// The first word of a symbol: ┌ pairs that use it 11 │ length in bytes 21 ┐. More uses than fit are not counted: such a symbol stays for good.
export const lengthBits = 21
const lengthMask = (1 << lengthBits) - 1
const usesMax = 0x7ff

/** The text of every label name and value, once. A symbol's id is the word index of its bytes; 0 is no symbol. */
export class Symbols {
  readonly #arena: SharedArena
  readonly #table: SharedTable
  readonly #control: Int32Array
  #seed: number
  // What `#isSame` compares with: kept here so that a lookup makes no closure.
  #bytes: Uint8Array = new Uint8Array(0)
  #start = 0
  #length = 0
  readonly #isSame = (id: number): boolean => this.#equals(id)
  readonly #buffers: (Buffer | undefined)[] = []

  constructor(memory: HeadMemory) {
    this.#arena = memory.symbols
    this.#control = memory.control
    this.#table = new SharedTable(memory.control, symbolDirectoryAt, memory.postings)
    this.#seed = memory.control[hashSeedAt]!
  }

  /** The id of the bytes [start, end), 0 if they are no symbol. */
  find(bytes: Uint8Array, start: number, end: number): number {
    return this.#find(hashBytes(bytes, start, end, this.#seed), bytes, start, end)
  }

  /** Whether a symbol has the bytes [start, end). */
  hasBytes(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    this.#bytes = bytes
    this.#start = start
    this.#length = end - start
    return this.#equals(id)
  }

  /** Writer: the id of the bytes, added if need be; 0 if they are too long or there is no memory. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    const hash = hashBytes(bytes, start, end, this.#seed)
    const known = this.#find(hash, bytes, start, end)
    return known !== 0 ? known : this.#add(hash, bytes, start, end)
  }

  /** Writer: one more pair has it. */
  addUse(id: number): void {
    const words = this.#arena.words[id >>> wordShift]!
    if (words[id & wordMask]! >>> lengthBits < usesMax) words[id & wordMask]! += 1 << lengthBits
  }

  /** Writer: one pair less has it. The last one takes it out of the table; readers of `epoch` and older ones may still read it. */
  removeUse(id: number, epoch: number): void {
    const words = this.#arena.words[id >>> wordShift]!
    const uses = words[id & wordMask]! >>> lengthBits
    if (uses === usesMax) return
    words[id & wordMask]! -= 1 << lengthBits
    if (uses === 1) this.remove(id, epoch)
  }

  /** Writer: whether a pair has it. */
  isUsed(id: number): boolean {
    return this.#arena.words[id >>> wordShift]![id & wordMask]! >>> lengthBits > 0
  }

  /** Writer: takes one that no pair has out of the table; readers of `epoch` and older ones may still read it. */
  remove(id: number, epoch: number): void {
    const bytes = this.bytes(id)
    this.#table.remove(hashBytes(bytes, 0, bytes.length, this.#seed), id)
    this.#control[symbolCountAt]!--
    this.#arena.free(id, wordsFor(bytes.length), epoch)
  }

  length(id: number): number {
    return this.#arena.window(id >>> wordShift)[id & wordMask]! & lengthMask
  }

  /** The bytes of a symbol, in place; not to be written. */
  bytes(id: number): Uint8Array {
    const length = this.length(id)
    const offset = ((id & wordMask) + 1) * 4
    return this.#arena.bytes[id >>> wordShift]!.subarray(offset, offset + length)
  }

  /** Copies the bytes of a symbol and gives the end. */
  copy(id: number, into: Uint8Array, at: number): number {
    const length = this.length(id)
    const source = this.#arena.bytes[id >>> wordShift]!
    const offset = ((id & wordMask) + 1) * 4
    if (length > 64) into.set(source.subarray(offset, offset + length), at)
    else for (let i = 0; i < length; i++) into[at + i] = source[offset + i]!
    return at + length
  }

  text(id: number): string {
    const length = this.length(id)
    const offset = ((id & wordMask) + 1) * 4
    return this.#buffer(id >>> wordShift).toString('utf8', offset, offset + length)
  }

  /** A window as a Buffer, made once: it would take longer than most texts do. */
  #buffer(index: number): Buffer {
    const { buffer, byteOffset, byteLength } = this.#arena.bytes[index]!
    return (this.#buffers[index] ??= Buffer.from(buffer, byteOffset, byteLength))
  }

  /** Order of the UTF-8 bytes: negative, 0 or positive. */
  compare(a: number, b: number): number {
    if (a === b) return 0
    const leftLength = this.length(a)
    const rightLength = this.length(b)
    const left = this.#arena.bytes[a >>> wordShift]!
    const right = this.#arena.bytes[b >>> wordShift]!
    const leftAt = ((a & wordMask) + 1) * 4
    const rightAt = ((b & wordMask) + 1) * 4
    const shorter = Math.min(leftLength, rightLength)
    for (let i = 0; i < shorter; i++) {
      const difference = left[leftAt + i]! - right[rightAt + i]!
      if (difference !== 0) return difference
    }
    return leftLength - rightLength
  }

  saveState(state: StateWriter): void {
    this.#table.saveState(state)
  }

  /** Behind that of the shared memory, which has the seed of the hashes. */
  restoreState(state: StateReader): void {
    this.#seed = this.#control[hashSeedAt]!
    this.#table.restoreState(state)
  }

  #find(hash: number, bytes: Uint8Array, start: number, end: number): number {
    this.#bytes = bytes
    this.#start = start
    this.#length = end - start
    return this.#table.find(hash, this.#isSame)
  }

  #equals(id: number): boolean {
    const length = this.#length
    if ((this.#arena.window(id >>> wordShift)[id & wordMask]! & lengthMask) !== length) return false
    const stored = this.#arena.bytes[id >>> wordShift]!
    const offset = ((id & wordMask) + 1) * 4
    const bytes = this.#bytes
    const start = this.#start
    for (let i = 0; i < length; i++) if (stored[offset + i] !== bytes[start + i]) return false
    return true
  }

  #add(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const length = end - start
    if (length > symbolBytesMax) return 0
    const words = wordsFor(length)
    if (!this.#arena.ensure(words)) return 0
    const id = this.#arena.allocate(words)
    this.#arena.words[id >>> wordShift]![id & wordMask] = length
    this.#arena.bytes[id >>> wordShift]!.set(bytes.subarray(start, end), ((id & wordMask) + 1) * 4)
    if (!this.#table.add(hash, id)) return 0
    this.#control[symbolCountAt]!++
    return id
  }
}

function wordsFor(length: number): number {
  return 1 + Math.ceil(length / 4)
}

// FNV-1a's step with a secret start, then a full mix: names and values are short, and tables compare the bytes anyway.
function hashBytes(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return mix32(hash)
}

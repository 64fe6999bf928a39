import { SeededHash } from '@narthex/bytes/seeded-hash'
import { PackedBytes } from './packed-bytes.ts'

const nobody = -1

/**
 * The series that have exemplars, each by its labels. One that has none any more goes, and its place is used again. The head's references
 * are a short way to those that it has: `forget` has to be called before one may mean another series.
 */
export class SeriesEntries {
  readonly labels: PackedBytes
  /** Entries are below this. */
  places = 0
  count = 0
  readonly #byHash = new Map<number, number>()
  readonly #byRef = new Map<number, number>()
  readonly #hash = new SeededHash()
  #free: number[] = []
  #hashes = new Float64Array(64)
  /** The next entry of the same hash. */
  #others = new Int32Array(64)
  #refs = new Uint32Array(64)
  #newest = new Int32Array(64)
  #counts = new Uint32Array(64)

  constructor(labelBytesMax: number) {
    this.labels = new PackedBytes(labelBytesMax)
  }

  get usedBytes(): number {
    return this.labels.usedBytes + this.#hashes.length * 24
  }

  /** -1: it has no exemplars. */
  find(labels: Uint8Array, from: number, to: number): number {
    let entry = this.#byHash.get(this.#hashOf(labels, from, to)) ?? nobody
    while (entry !== nobody && !this.labels.equals(entry, labels, from, to)) entry = this.#others[entry]!
    return entry
  }

  /** -1: nobody has said which one this is, by `setRef`. */
  findByRef(ref: number): number {
    return this.#byRef.get(ref) ?? nobody
  }

  setRef(entry: number, ref: number): void {
    this.#byRef.delete(this.#refs[entry]!)
    this.#refs[entry] = ref
    this.#byRef.set(ref, entry)
  }

  forget(ref: number): void {
    const entry = this.#byRef.get(ref)
    if (entry === undefined) return
    this.#byRef.delete(ref)
    this.#refs[entry] = 0
  }

  /** A series that `find` did not find; it has to be held at once. -1: no room for its labels. */
  add(labels: Uint8Array, from: number, to: number): number {
    const entry = this.#free.pop() ?? this.places++
    if (entry >= this.#hashes.length) this.#grow()
    if (!this.labels.set(entry, labels, from, to)) {
      this.#free.push(entry)
      return nobody
    }
    const hash = this.#hashOf(labels, from, to)
    this.#hashes[entry] = hash
    this.#others[entry] = this.#byHash.get(hash) ?? nobody
    this.#byHash.set(hash, entry)
    this.#refs[entry] = 0
    this.#newest[entry] = nobody
    this.#counts[entry] = 0
    this.count++
    return entry
  }

  /** The head's reference of a series, 0 if it is not known by one. */
  refOf(entry: number): number {
    return this.#refs[entry]!
  }

  /** The slot of the newest exemplar of a series. */
  newestOf(entry: number): number {
    return this.#newest[entry]!
  }

  setNewest(entry: number, slot: number): void {
    this.#newest[entry] = slot
  }

  /** It has one exemplar more. */
  hold(entry: number): void {
    this.#counts[entry]!++
  }

  /** It has one exemplar less; with the last one it goes. */
  letGo(entry: number): void {
    this.#counts[entry]!--
    if (this.#counts[entry] === 0) this.#drop(entry)
  }

  /** 53 bits. */
  #hashOf(labels: Uint8Array, from: number, to: number): number {
    const hash = this.#hash
    hash.of(new DataView(labels.buffer, labels.byteOffset, labels.byteLength), from, to - from)
    return (hash.high >>> 11) * 0x1_0000_0000 + (hash.low >>> 0)
  }

  #drop(entry: number): void {
    const hash = this.#hashes[entry]!
    const first = this.#byHash.get(hash)!
    if (first !== entry) {
      let before = first
      while (this.#others[before] !== entry) before = this.#others[before]!
      this.#others[before] = this.#others[entry]!
    } else if (this.#others[entry] === nobody) this.#byHash.delete(hash)
    else this.#byHash.set(hash, this.#others[entry]!)
    if (this.#refs[entry] !== 0) this.#byRef.delete(this.#refs[entry]!)
    this.labels.clear(entry)
    this.#free.push(entry)
    this.count--
  }

  #grow(): void {
    const room = 2 * this.#hashes.length
    this.#hashes = copyInto(new Float64Array(room), this.#hashes)
    this.#others = copyInto(new Int32Array(room), this.#others)
    this.#refs = copyInto(new Uint32Array(room), this.#refs)
    this.#newest = copyInto(new Int32Array(room), this.#newest)
    this.#counts = copyInto(new Uint32Array(room), this.#counts)
  }
}

function copyInto<T extends Uint32Array | Int32Array | Float64Array>(to: T, from: T): T {
  to.set(from)
  return to
}

/** Bytes are counted in KiB, so that a signed word holds 2 TiB. */
const unitBytes = 1024
/** Claims are made in steps, so that they cost next to nothing. */
const stepUnits = 256

// Word 0: most units of all now · 1: as planned · 2…: units of each slot. The sum is made anew for each claim: a thread that is ended in the middle of one must
// leave nothing behind.
const limitAt = 0
const plannedAt = 1
const slotsAt = 2
/** Slot of the main thread, which holds answers until they are sent. */
const answersSlot = 0
const slotsMax = 64
/** However little is left, small queries are answered. */
const bytesMin = 16 * 1024 * 1024

/** What a thread needs to claim memory for its query. */
export interface QueryMemoryShare {
  readonly words: SharedArrayBuffer
  readonly slot: number
  /** Of one query. */
  readonly bytesMax: number
}

/**
 * The bytes that all queries hold together: columns, labels and answers of those that run, and answers on their way to clients. One budget for all
 * threads, in shared memory. Used by the main thread; a query worker has a `QueryClaim`.
 */
export class QueryMemory {
  readonly #words = new Int32Array(new SharedArrayBuffer((slotsAt + slotsMax) * 4))
  readonly #taken = new Uint8Array(slotsMax)
  readonly bytesMax: number
  readonly queryBytesMax: number

  constructor(bytesMax: number, queryBytesMax: number) {
    this.bytesMax = bytesMax
    this.queryBytesMax = Math.min(queryBytesMax, bytesMax)
    this.#words[plannedAt] = Math.max(stepUnits, Math.floor(bytesMax / unitBytes))
    this.#words[limitAt] = this.#words[plannedAt]
    this.#taken[answersSlot] = 1
  }

  get bytes(): number {
    return sumUnits(this.#words) * unitBytes
  }

  /** What all queries may hold now: as planned, or what the other parts of the process leave. */
  get limitBytes(): number {
    return Atomics.load(this.#words, limitAt) * unitBytes
  }

  /** `leftBytes`: what is left for queries of the memory of the process. */
  adapt(leftBytes: number): void {
    const units = Math.floor(Math.max(bytesMin, leftBytes) / unitBytes)
    Atomics.store(this.#words, limitAt, Math.min(this.#words[plannedAt]!, units))
  }

  /** Why a further query is not begun; undefined if there is room for one. */
  refusal(): string | undefined {
    if (sumUnits(this.#words) + stepUnits <= Atomics.load(this.#words, limitAt)) return undefined
    return `memory of all queries is used up: ${this.bytes} of ${describeLimit(this.#words)}`
  }

  /** For one thread; give it back by `close` when the thread has ended, however it did. */
  open(): QueryMemoryShare {
    const slot = this.#taken.indexOf(0)
    if (slot < 0) throw new Error(`cannot start a query thread: want at most ${slotsMax - 1}`)
    this.#taken[slot] = 1
    return { words: this.#words.buffer as SharedArrayBuffer, slot, bytesMax: this.queryBytesMax }
  }

  close({ slot }: QueryMemoryShare): void {
    Atomics.store(this.#words, slotsAt + slot, 0)
    this.#taken[slot] = 0
  }

  /** What the query of a thread holds now. */
  bytesOf({ slot }: QueryMemoryShare): number {
    return Atomics.load(this.#words, slotsAt + slot) * unitBytes
  }

  /** Counts an answer that waits to be sent; the function gives its bytes back, once. It is there already, so it is not refused. */
  holdAnswer(bytes: number): () => void {
    let units = Math.ceil(bytes / unitBytes)
    Atomics.add(this.#words, slotsAt + answersSlot, units)
    return () => {
      Atomics.sub(this.#words, slotsAt + answersSlot, units)
      units = 0
    }
  }
}

/** The claim of the query that a thread works on. It only grows, as garbage takes memory too, until `reset`. */
export class QueryClaim {
  readonly #words: Int32Array
  readonly #at: number
  readonly #unitsMax: number
  readonly bytesMax: number

  constructor({ words, slot, bytesMax }: QueryMemoryShare) {
    this.#words = new Int32Array(words)
    this.#at = slotsAt + slot
    this.bytesMax = bytesMax
    this.#unitsMax = Math.floor(bytesMax / unitBytes)
  }

  get #units(): number {
    return this.#words[this.#at]!
  }

  /** Makes sure that `bytes` are claimed in all; gives the reason why they cannot be. */
  cover(bytes: number): string | undefined {
    const held = this.#units
    if (bytes <= held * unitBytes) return undefined
    const wanted = Math.ceil(bytes / unitBytes)
    if (wanted > this.#unitsMax) return `one query may hold ${this.bytesMax} bytes (--query.memory-max)`
    const units = Math.min(this.#unitsMax, Math.ceil(wanted / stepUnits) * stepUnits)
    Atomics.store(this.#words, this.#at, units)
    const all = sumUnits(this.#words)
    if (all <= Atomics.load(this.#words, limitAt)) return undefined
    Atomics.store(this.#words, this.#at, held)
    return `all queries together may hold ${describeLimit(this.#words)}, and others hold ${(all - units) * unitBytes}`
  }

  /** At the end of a query. */
  reset(): void {
    Atomics.store(this.#words, this.#at, 0)
  }
}

function describeLimit(words: Int32Array): string {
  const units = Atomics.load(words, limitAt)
  const bytes = `${units * unitBytes} bytes`
  if (units >= words[plannedAt]!) return bytes
  return `${bytes} now, as other parts of the process leave no more (--server.memory-max)`
}

function sumUnits(words: Int32Array): number {
  let units = 0
  for (let i = slotsAt; i < words.length; i++) units += Atomics.load(words, i)
  return units
}

import type { OpenChunkWriter } from '../chunk/open-chunk.ts'
import type { StateReader, StateWriter } from '../head-state/state-access.ts'

const firstCapacity = 1024

/** Chunks that are out of their series' lists but that a reader of an older epoch may still decode: a queue, oldest first. */
export class RetiredChunks {
  readonly #writer: OpenChunkWriter
  /** ┌ chunk ┬ epoch ┐ */
  #queue = new Uint32Array(firstCapacity * 2)
  #first = 0
  #end = 0

  constructor(writer: OpenChunkWriter) {
    this.#writer = writer
  }

  get length(): number {
    return this.#end - this.#first
  }

  add(chunk: number, epoch: number): void {
    if (this.#end * 2 === this.#queue.length) this.#makeRoom()
    this.#queue[this.#end * 2] = chunk
    this.#queue[this.#end * 2 + 1] = epoch
    this.#end++
  }

  /** Gives back the chunks retired before `epoch`, at most `chunksMax` of them; whether there are no more of these. */
  reclaim(epoch: number, chunksMax: number): boolean {
    let left = chunksMax
    while (this.#first < this.#end && this.#queue[this.#first * 2 + 1]! < epoch) {
      if (left-- <= 0) return false
      this.#writer.free(this.#queue[2 * this.#first++]!)
    }
    if (this.#first === this.#end) {
      this.#first = 0
      this.#end = 0
      if (this.#queue.length > firstCapacity * 2) this.#queue = new Uint32Array(firstCapacity * 2)
    }
    return true
  }

  saveState(state: StateWriter): void {
    state.array('queue', this.#queue.subarray(this.#first * 2, this.#end * 2))
  }

  restoreState(state: StateReader): void {
    const queue = state.words('queue')
    for (let i = 0; i < queue.length; i += 2) this.add(queue[i]!, queue[i + 1]!)
  }

  #makeRoom(): void {
    const kept = this.#queue.subarray(this.#first * 2, this.#end * 2)
    const queue = this.#first * 2 > this.#end ? this.#queue : new Uint32Array(this.#queue.length * 2)
    if (queue === this.#queue) queue.copyWithin(0, this.#first * 2, this.#end * 2)
    else queue.set(kept)
    this.#end -= this.#first
    this.#first = 0
    this.#queue = queue
  }
}

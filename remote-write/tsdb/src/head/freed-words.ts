import type { StateReader, StateWriter } from '../head-state/state-access.ts'

const firstCapacity = 256

/** Words of an arena that were freed: first in a queue, as readers may hold them, then by their size, to be given out again. */
export class FreedWords {
  /** Freed and not given out again. */
  words = 0
  /** ┌ at ┬ count ┬ epoch ┐, oldest first. */
  #queue = new Uint32Array(3 * firstCapacity)
  #first = 0
  #end = 0
  readonly #bySize = new Map<number, Stack>()

  add(at: number, count: number, epoch: number): void {
    if (3 * this.#end === this.#queue.length) this.#makeRoom()
    this.#queue[3 * this.#end] = at
    this.#queue[3 * this.#end + 1] = count
    this.#queue[3 * this.#end + 2] = epoch
    this.#end++
    this.words += count
  }

  /** Makes what was freed before `oldestEpoch` ready for use. */
  reclaim(oldestEpoch: number, clear: (at: number, count: number) => void): void {
    while (this.#first < this.#end && this.#queue[3 * this.#first + 2]! < oldestEpoch) {
      const at = this.#queue[3 * this.#first]!
      const count = this.#queue[3 * this.#first + 1]!
      this.#first++
      clear(at, count)
      let stack = this.#bySize.get(count)
      if (stack === undefined) this.#bySize.set(count, (stack = new Stack()))
      stack.push(at)
    }
    if (this.#first < this.#end) return
    this.#first = 0
    this.#end = 0
    if (this.#queue.length > 3 * firstCapacity) this.#queue = new Uint32Array(3 * firstCapacity)
  }

  /** Words that are ready, 0 if there are none of this size, or the last of them are less aligned. */
  take(count: number, alignment: number): number {
    if (this.words === 0) return 0
    const stack = this.#bySize.get(count)
    const at = stack?.last ?? 0
    if (at === 0 || (at & (alignment - 1)) !== 0) return 0
    stack!.length--
    this.words -= count
    return at
  }

  saveState(state: StateWriter): void {
    const stacks = [...this.#bySize]
    state.numbers({ words: this.words })
    state.array('queue', this.#queue.subarray(3 * this.#first, 3 * this.#end))
    state.array(
      'sizes',
      Uint32Array.from(stacks, ([size]) => size),
    )
    state.array(
      'lengths',
      Uint32Array.from(stacks, ([, { length }]) => length),
    )
    state.array(
      'ready',
      stacks.map(([, stack]) => stack.items),
    )
  }

  restoreState(state: StateReader): void {
    const queue = state.words('queue')
    while (this.#queue.length < queue.length) this.#queue = new Uint32Array(2 * this.#queue.length)
    this.#queue.set(queue)
    this.#end = queue.length / 3
    const lengths = state.words('lengths')
    const ready = state.words('ready')
    let from = 0
    for (const [i, size] of state.words('sizes').entries()) {
      const stack = new Stack()
      for (let k = 0; k < lengths[i]!; k++) stack.push(ready[from + k]!)
      from += lengths[i]!
      this.#bySize.set(size, stack)
    }
    this.words = state.number('words')
  }

  #makeRoom(): void {
    const kept = this.#queue.subarray(3 * this.#first, 3 * this.#end)
    const queue = 2 * this.#first > this.#end ? this.#queue : new Uint32Array(2 * this.#queue.length)
    if (queue === this.#queue) queue.copyWithin(0, 3 * this.#first, 3 * this.#end)
    else queue.set(kept)
    this.#end -= this.#first
    this.#first = 0
    this.#queue = queue
  }
}

class Stack {
  length = 0
  #items = new Uint32Array(16)

  push(item: number): void {
    if (this.length === this.#items.length) {
      const items = new Uint32Array(2 * this.length)
      items.set(this.#items)
      this.#items = items
    }
    this.#items[this.length++] = item
  }

  get items(): Uint32Array {
    return this.#items.subarray(0, this.length)
  }

  /** 0 if it is empty. */
  get last(): number {
    return this.length === 0 ? 0 : this.#items[this.length - 1]!
  }
}

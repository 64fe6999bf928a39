import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import { FreedWords } from './freed-words.ts'

/** One window: what a single typed array covers. No record, list or piece crosses the end of a window. */
export const windowBytes = 4 * 1024 * 1024
export const wordsPerWindow = windowBytes / 4
/** A word index is `window << wordShift | index in window`. */
export const wordShift = 20
export const wordMask = wordsPerWindow - 1
const alignmentMax = 16
// Allocations of at most this many words may come from recycled memory.
const scrapWordsMax = 256
/** Word indices are 32 bits, so no arena passes 16 GiB. */
export const arenaBytesMax = 16 * 1024 * 1024 * 1024

/**
 * An append-only memory of u32 words that every thread of the process sees: one growable SharedArrayBuffer, reserved up to
 * `bytesMax` and backed by the system page by page as it is touched. Each thread opens its own `SharedArena` on the buffer.
 *
 * The buffer is only touched through views of fixed length (a view that follows the length costs 18 ns an access, these 0.65):
 * word w is `words[w >>> wordShift][w & wordMask]`. Growing is one system call of some 3 µs and moves nothing; a reader makes
 * its views of new windows when it first meets a reference into them, so no message is needed.
 */
export class SharedArena {
  readonly buffer: SharedArrayBuffer
  readonly words: Uint32Array[] = []
  readonly doubles: Float64Array[] = []
  readonly bytes: Uint8Array[] = []
  /** Writer only: words given out, freed ones included. Word 0 is never given out, so that 0 can mean "none". */
  usedWords = 16
  /** End of the window that the last allocation was in; 0 before the first one. */
  #windowEnd = 0
  // Writer only: memory given back, the region small allocations come from and those after it (start and end by turns).
  #scrapAt = 0
  #scrapEnd = 0
  readonly #scraps: number[] = []
  /** Writer only: what was freed. */
  readonly #freed = new FreedWords()

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.openWindows()
  }

  /** Reserves address space; halves the wish down to one window where the system refuses it (`ulimit -v`). */
  static reserve(bytesMax: number): SharedArena {
    let wish = Math.min(arenaBytesMax, Math.max(windowBytes, Math.ceil(bytesMax / windowBytes) * windowBytes))
    for (;;) {
      try {
        const arena = new SharedArena(new SharedArrayBuffer(0, { maxByteLength: wish }))
        if (!arena.ensure(1)) throw new RangeError('cannot grow shared memory by its first window')
        return arena
      } catch (cause) {
        if (wish <= windowBytes) throw new Error(`cannot reserve ${wish} bytes of shared memory`, { cause })
        wish = Math.ceil(wish / 2 / windowBytes) * windowBytes
      }
    }
  }

  /** Makes the views of windows that appeared since. */
  openWindows(): void {
    const count = Math.floor(this.buffer.byteLength / windowBytes)
    for (let i = this.words.length; i < count; i++) {
      this.words.push(new Uint32Array(this.buffer, i * windowBytes, wordsPerWindow))
      this.doubles.push(new Float64Array(this.buffer, i * windowBytes, wordsPerWindow / 2))
      this.bytes.push(new Uint8Array(this.buffer, i * windowBytes, windowBytes))
    }
  }

  /** Writer: goes on where another thread's writer, which has freed nothing, stopped. */
  takeOver(usedWords: number): void {
    this.openWindows()
    this.usedWords = usedWords
    this.#windowEnd = 0
  }

  /** The words of a window, for readers: opens it if need be. */
  window(index: number): Uint32Array {
    if (index >= this.words.length) this.openWindows()
    return this.words[index]!
  }

  /**
   * Whether there is (now) memory for allocations of `words` words in all, each of a size that divides a window or together at most
   * one window; false when the reservation is used up.
   */
  ensure(words: number): boolean {
    // Mostly the window in use has room, as this is asked several times for each new series.
    if (this.usedWords + alignmentMax + words <= this.#windowEnd) return true
    let end = this.usedWords + alignmentMax + words
    const nextWindow = (Math.floor(this.usedWords / wordsPerWindow) + 1) * wordsPerWindow
    if (words <= wordsPerWindow && end > nextWindow) end = nextWindow + words
    const needed = Math.ceil(end / wordsPerWindow) * windowBytes
    if (needed <= this.buffer.byteLength) return true
    if (needed > this.buffer.maxByteLength) return false
    try {
      this.buffer.grow(needed)
    } catch {
      return false
    }
    this.openWindows()
    return true
  }

  /**
   * The index of `count` fresh zero words that lie in one window, aligned to `alignment` words (a power of two).
   * The caller has made sure of the memory by `ensure`; without it this throws.
   */
  allocate(count: number, alignment = 1): number {
    const freed = this.#freed.take(count, alignment)
    if (freed !== 0) return freed
    if (count <= scrapWordsMax && this.#scrapEnd > 0) {
      const scrap = this.#takeScrap(count, alignment)
      if (scrap !== 0) return scrap
    }
    let at = (this.usedWords + alignment - 1) & ~(alignment - 1)
    at >>>= 0
    if ((at & wordMask) + count > wordsPerWindow) at = ((at >>> wordShift) + 1) * wordsPerWindow
    const end = at + count
    if (end > this.#windowEnd) {
      if (end * 4 > this.buffer.byteLength && !this.ensure(count + alignment)) {
        throw new RangeError(`cannot allocate ${count * 4} bytes of shared memory: want at most ${this.buffer.maxByteLength}`)
      }
      // The buffer grows by whole windows.
      this.#windowEnd = Math.ceil(end / wordsPerWindow) * wordsPerWindow
    }
    this.usedWords = end
    return at
  }

  /** Writer: gives back words of one window that no reader can reach any more; later small allocations come from there. */
  recycle(at: number, count: number): void {
    this.words[at >>> wordShift]!.fill(0, at & wordMask, (at & wordMask) + count)
    this.#scraps.push(at, at + count)
    if (this.#scrapEnd === 0) this.#nextScrap()
  }

  /**
   * Writer: gives back an allocation of `count` words that readers of `epoch` and older ones may still read. It is used again, for one of the
   * same size and alignment, after a `reclaim`.
   */
  free(at: number, count: number, epoch: number): void {
    this.#freed.add(at, count, epoch)
  }

  /** Writer: no reader holds an epoch before `oldestEpoch` any more. `onReady` is told of what may be used again, which is cleared. */
  reclaim(oldestEpoch: number, onReady?: (at: number) => void): void {
    this.#freed.reclaim(oldestEpoch, (at, count) => {
      this.words[at >>> wordShift]!.fill(0, at & wordMask, (at & wordMask) + count)
      onReady?.(at)
    })
  }

  saveState(state: StateWriter): void {
    state.numbers({ usedWords: this.usedWords, windowEnd: this.#windowEnd, scrapAt: this.#scrapAt, scrapEnd: this.#scrapEnd })
    state.array('scraps', Float64Array.from(this.#scraps))
    this.#freed.saveState(state.part('freed'))
    state.memory('words', this.#usedBytesByWindow())
  }

  /** Of an arena that nothing was taken of. Throws if its reservation is too small. */
  restoreState(state: StateReader): void {
    const usedWords = state.number('usedWords')
    const needed = Math.ceil(usedWords / wordsPerWindow) * windowBytes
    if (needed > this.buffer.maxByteLength) {
      throw new Error(`cannot restore ${needed} bytes of shared memory: want at most ${this.buffer.maxByteLength}`)
    }
    if (needed > this.buffer.byteLength) this.buffer.grow(needed)
    this.openWindows()
    this.usedWords = usedWords
    this.#windowEnd = state.number('windowEnd')
    this.#scrapAt = state.number('scrapAt')
    this.#scrapEnd = state.number('scrapEnd')
    for (const end of state.doubles('scraps')) this.#scraps.push(end)
    this.#freed.restoreState(state.part('freed'))
    state.memory('words', this.#usedBytesByWindow())
  }

  #usedBytesByWindow(): Uint8Array[] {
    const views: Uint8Array[] = []
    for (let left = this.usedWords * 4, i = 0; left > 0; left -= windowBytes, i++) views.push(this.bytes[i]!.subarray(0, left))
    return views
  }

  #takeScrap(count: number, alignment: number): number {
    const at = ((this.#scrapAt + alignment - 1) & ~(alignment - 1)) >>> 0
    if (at + count <= this.#scrapEnd) {
      this.#scrapAt = at + count
      return at
    }
    // What is left of this one is lost: at most one small allocation.
    this.#nextScrap()
    return this.#scrapEnd === 0 ? 0 : this.#takeScrap(count, alignment)
  }

  #nextScrap(): void {
    this.#scrapEnd = this.#scraps.pop() ?? 0
    this.#scrapAt = this.#scraps.pop() ?? 0
  }

  get usedBytes(): number {
    return (this.usedWords - this.#freed.words) * 4
  }
}

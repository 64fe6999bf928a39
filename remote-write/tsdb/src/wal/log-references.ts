import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import { referenceMax } from './wal-format.ts'

const firstRoom = 65_536

/** References of series that are no longer in the head, with the last segment that may have samples of them. */
export interface GoneReferences {
  readonly lastSegment: number
  readonly references: Float64Array
}

interface Gone {
  readonly lastSegment: number
  references: Float64Array
  length: number
}

/**
 * The references under which a log knows the head's series. The head uses the place of a freed series again, the log never a reference: so
 * a new series gets the next one above all that the log has or once had. As long as both are the same, nothing is kept here.
 */
export class LogReferences {
  /** By the head's references; undefined: they are the log's. For the record writer. */
  table: Float64Array | undefined
  /** The highest that was ever given out. */
  highest = 0
  #gone: Gone[] = []

  of(ref: number): number {
    return this.table === undefined ? ref : this.table[ref]!
  }

  /** A series of the head that is new to the log. Throws when no reference is left below 2^40. */
  assign(ref: number): void {
    if (this.highest >= referenceMax) throw new Error(`no series reference is left below 2^40: ${this.highest} + 1`)
    this.highest++
    if (this.table === undefined && ref === this.highest) return
    this.#put(ref, this.highest)
  }

  /**
   * While a log is read: its `logRef` means the head's series `ref`. A reference that meant it before is gone with the last of the segments
   * that are read, `lastSegment`.
   */
  set(ref: number, logRef: number, lastSegment: number, isKnown: boolean): void {
    this.highest = Math.max(this.highest, logRef)
    if (isKnown) {
      const before = this.of(ref)
      if (before === logRef) return
      this.#addGone(before, lastSegment)
    }
    if (this.table === undefined && ref === logRef) return
    this.#put(ref, logRef)
  }

  /** A reference is in use somewhere. */
  note(logRef: number): void {
    this.highest = Math.max(this.highest, logRef)
  }

  /** The head has freed a series; segments up to `lastSegment` may have samples of it. */
  forget(ref: number, lastSegment: number): void {
    this.#addGone(this.of(ref), lastSegment)
  }

  /** What checkpoints need not keep. */
  get gone(): readonly GoneReferences[] {
    return this.#gone.map(({ lastSegment, references, length }) => ({ lastSegment, references: references.slice(0, length) }))
  }

  /** A checkpoint up to `lastSegment` is there: nothing of the log names them any more. */
  dropGone(lastSegment: number): void {
    this.#gone = this.#gone.filter((group) => group.lastSegment > lastSegment)
  }

  get goneCount(): number {
    return this.#gone.reduce((sum, { length }) => sum + length, 0)
  }

  saveState(state: StateWriter): void {
    state.numbers({ highest: this.highest })
    state.array('table', this.table ?? new Float64Array(0))
    state.array(
      'goneSegments',
      Float64Array.from(this.#gone, ({ lastSegment }) => lastSegment),
    )
    state.array(
      'goneLengths',
      Float64Array.from(this.#gone, ({ length }) => length),
    )
    state.array(
      'gone',
      this.#gone.map(({ references, length }) => references.subarray(0, length)),
    )
  }

  restoreState(state: StateReader): void {
    this.highest = state.number('highest')
    const table = state.doubles('table')
    this.table = table.length === 0 ? undefined : table
    const lengths = state.doubles('goneLengths')
    const gone = state.doubles('gone')
    let from = 0
    for (const [i, lastSegment] of state.doubles('goneSegments').entries()) {
      const length = lengths[i]!
      this.#gone.push({ lastSegment, references: gone.slice(from, from + length), length })
      from += length
    }
  }

  #put(ref: number, logRef: number): void {
    let { table } = this
    if (table === undefined) {
      table = new Float64Array(Math.max(firstRoom, 2 * ref))
      for (let i = 0; i < table.length; i++) table[i] = i
    } else if (ref >= table.length) {
      const larger = new Float64Array(2 * ref)
      larger.set(table)
      table = larger
    }
    table[ref] = logRef
    this.table = table
  }

  #addGone(reference: number, lastSegment: number): void {
    let group = this.#gone.at(-1)
    if (group?.lastSegment !== lastSegment) {
      group = { lastSegment, references: new Float64Array(64), length: 0 }
      this.#gone.push(group)
    } else if (group.length === group.references.length) {
      const larger = new Float64Array(2 * group.length)
      larger.set(group.references)
      group.references = larger
    }
    group.references[group.length++] = reference
  }
}

import { growWords } from '@narthex/bytes/grow'
import type { MetricType } from '@narthex/model/metric-type'
import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import { wordMask, wordShift } from '../head/shared-arena.ts'
import type { Head } from '../head/head.ts'
import { RecordBuilder } from '../wal/record-builder.ts'
import type { RecordEntries } from '../wal/record-entries.ts'
import { readMetadata } from '../wal/text-payload.ts'
import type { CommitExtras } from '../wal/wal-writer.ts'
import { metadataRecord } from '../wal/wal-format.ts'
import { familyOfSeries, seriesNamesOf } from './family-names.ts'
import { MetadataTexts } from './metadata-texts.ts'

const recordBytes = 64 * 1024
const familiesMax = 20_000
const nameLabel = new TextEncoder().encode('__name__')

interface LogOfMetadata {
  /** What the log calls the series of the head, which it has by now. */
  readonly references: { of(ref: number): number }
  writeRecords(records: Iterable<Uint8Array>): void
  /** Whom the log asks for what goes with the head's commit. */
  metadata?: CommitExtras | undefined
}

const none: readonly Uint8Array[] = []

/**
 * Writes type, unit and help of series to the log when they are new or have changed, so that a start has them again. What is given is kept
 * aside until `commit`, to be called after the head's own; `rollback` forgets it. Off, and only reading, until `startLogging`.
 * Memory: four bytes for each place of a series, and each text once.
 */
export class MetadataLog {
  readonly #head: Head
  #log: LogOfMetadata | undefined
  readonly #texts = new MetadataTexts()
  readonly #records = new RecordBuilder()
  /** By reference, what the log has of a series. */
  #logged = new Uint32Array(1024)
  #pending: number[] = []
  /** Whether the log took them with the head's commit. */
  #isLogged = false
  // Where only the family is known, one series of it stands for it.
  readonly #families = new Map<string, { readonly number: number; readonly ref: number }>()
  readonly #familyOfRef = new Map<number, string>()
  /** While a log is read: what came last for series of a metric name, by the name's symbol. */
  readonly #restored = new Map<number, number>()

  constructor(head: Head) {
    this.#head = head
  }

  startLogging(log: LogOfMetadata): void {
    this.#log = log
    log.metadata = this
  }

  get isOn(): boolean {
    return this.#log !== undefined
  }

  /** Of a family that was scraped, for the API. */
  setMetadata(family: string, type: MetricType, help: string, unit: string): void {
    this.#head.metadata.set(family, type, help, unit)
  }

  /** A number for `noteSeries`; equal metadata has the same. 0: there is no room for more texts. */
  numberOf(type: MetricType, unit: string, help: string): number {
    return this.#texts.numberOf(type, unit, help)
  }

  noteSeries(ref: number, number: number): void {
    if (this.#log === undefined || !(ref > 0) || number === 0 || this.#logged[ref] === number) return
    this.#setLogged(ref, number)
    this.#pending.push(ref)
  }

  /** For senders that tell of families alone: nothing is written before the head has a series of the family. */
  noteFamily(family: string, type: MetricType, unit: string, help: string): void {
    if (this.#log === undefined) return
    const known = this.#families.get(family)
    const number = this.numberOf(type, unit, help)
    if (known?.number === number || number === 0) return
    const ref = known?.ref ?? this.#findSeries(seriesNamesOf(family, type))
    if (ref === 0) return
    this.noteSeries(ref, number)
    this.#keepFamily(family, ref, number)
  }

  /** Throws if the log cannot be written: it is tried again when the metadata come again. */
  commit(): void {
    if (this.#pending.length === 0) return
    try {
      if (!this.#isLogged) this.#log?.writeRecords(this.#buildRecords())
      this.#pending = []
      this.#isLogged = false
    } finally {
      this.rollback()
    }
  }

  rollback(): void {
    for (const ref of this.#pending) this.forgetSeries(ref)
    this.#pending = []
    this.#isLogged = false
  }

  /** For the log, within the head's commit. */
  takeRecords(): Iterable<Uint8Array> {
    if (this.#pending.length === 0) return none
    this.#isLogged = true
    return this.#buildRecords()
  }

  /** Takes over what a log has, of references of the head. */
  restore(record: Uint8Array, entries: RecordEntries): void {
    const { refs, starts, ends, length } = entries
    for (let i = 0; i < length; i++) {
      const ref = refs[i]!
      const number = this.#texts.numberOfPayload(record, starts[i]!, ends[i]!)
      this.#setLogged(ref, number)
      const symbol = this.#nameSymbolOf(ref)
      // Series of one name have mostly the same.
      if (symbol === 0 || this.#restored.get(symbol) === number) continue
      this.#restored.set(symbol, number)
      const { type, unit, help } = readMetadata(record, starts[i]!, ends[i]!)
      const family = familyOfSeries(this.#head.symbols.text(symbol), type)
      this.#head.metadata.set(family, type, help, unit)
      this.#keepFamily(family, ref, number)
    }
  }

  /** The log is read: what was needed for that is given back. */
  endRestore(): void {
    this.#restored.clear()
  }

  /** To be called when a reference will mean another series. */
  forgetSeries(ref: number): void {
    if (ref < this.#logged.length) this.#logged[ref] = 0
    const family = this.#familyOfRef.get(ref)
    if (family === undefined) return
    this.#familyOfRef.delete(ref)
    this.#families.delete(family)
  }

  saveState(state: StateWriter): void {
    const families = [...this.#families]
    state.array('logged', this.#logged)
    state.texts('families', this.#families.keys())
    state.array(
      'familyNumbers',
      Uint32Array.from(families, ([, { number }]) => number),
    )
    state.array(
      'familyRefs',
      Uint32Array.from(families, ([, { ref }]) => ref),
    )
    this.#texts.saveState(state.part('texts'))
  }

  restoreState(state: StateReader): void {
    this.#logged = state.words('logged')
    const numbers = state.words('familyNumbers')
    const refs = state.words('familyRefs')
    for (const [i, family] of state.texts('families').entries()) this.#keepFamily(family, refs[i]!, numbers[i]!)
    this.#texts.restoreState(state.part('texts'))
  }

  #keepFamily(family: string, ref: number, number: number): void {
    const known = this.#families.get(family)
    if (known === undefined && this.#families.size >= familiesMax) return
    if (known !== undefined) this.#familyOfRef.delete(known.ref)
    this.#families.set(family, { number, ref })
    this.#familyOfRef.set(ref, family)
  }

  #setLogged(ref: number, number: number): void {
    if (ref >= this.#logged.length) this.#logged = growWords(this.#logged, 2 * ref)
    this.#logged[ref] = number
  }

  #findSeries(names: readonly string[]): number {
    this.#head.flushPostings()
    const { symbols, pairs, places } = this.#head
    const label = symbols.find(nameLabel, 0, nameLabel.length)
    for (const name of names) {
      const bytes = new TextEncoder().encode(name)
      const symbol = symbols.find(bytes, 0, bytes.length)
      const pair = label === 0 || symbol === 0 ? 0 : pairs.find(label, symbol)
      const ref = pair === 0 ? undefined : pairs.postings(pair, places)[0]
      if (ref !== undefined) return ref
    }
    return 0
  }

  /** 0: the series has no metric name. */
  #nameSymbolOf(ref: number): number {
    const { symbols, pairs, memory } = this.#head
    const label = symbols.find(nameLabel, 0, nameLabel.length)
    const list = this.#head.labelList(ref)
    const words = memory.labels.words[list >>> wordShift]!
    const at = list & wordMask
    for (let i = 1; i <= words[at]!; i++) {
      const pair = words[at + i]!
      if (pairs.name(pair) === label) return pairs.value(pair)
    }
    return 0
  }

  *#buildRecords(): Generator<Uint8Array> {
    const records = this.#records
    const { references } = this.#log!
    records.begin(metadataRecord)
    for (const ref of this.#pending) {
      const payload = this.#texts.payload(this.#logged[ref]!)
      records.addPayload(references.of(ref), 0, 0, 0, 0, payload, 0, payload.length)
      if (records.length < recordBytes) continue
      yield records.view()
      records.begin(metadataRecord)
    }
    if (records.count > 0) yield records.view()
  }
}

import type { MetricType } from '@narthex/model/metric-type'
import { FamilyWriter } from './family-writer.ts'
import { floatBytesMax, writeFloatG } from './float-writer.ts'

type FamilyType = MetricType | 'untyped'

/** Larger answers are written anew each time: to remember one takes about a hundred bytes a sample. */
const rememberedSamplesMax = 1_000

const noLabels: readonly string[] = []

/**
 * A FamilyWriter that remembers what it was told in the round before, a round being all between two resets. As long as it is told the same families and
 * samples in the same order, which is what a scrape does, it looks at the values only: those that changed are written into the bytes of then. At the
 * first call that is another one it does what a FamilyWriter does, which it equals in each byte.
 */
export class RepeatingWriter {
  readonly #writer: FamilyWriter
  // The families that were begun, in the order of the calls.
  readonly #names: string[] = []
  readonly #helps: string[] = []
  readonly #types: FamilyType[] = []
  /** Where each name is first in these, of what is remembered. */
  readonly #firstOfName = new Map<string, number>()
  // The samples that were written: how many families had been begun, and what it was.
  readonly #families: number[] = []
  readonly #labels: (readonly string[])[] = []
  readonly #suffixes: (string | undefined)[] = []
  readonly #values: number[] = []
  // Where its value is: while the round is written, in the bytes of the writer; then in those that are kept.
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  /** Samples in the order of their places. */
  #order: Int32Array = new Int32Array(0)
  #bytes = new Uint8Array(0)
  #length = 0
  #spare = new Uint8Array(0)
  readonly #number = new Uint8Array(floatBytesMax)

  #isRemembered = false
  /** What is remembered is being told again, as far as these two. */
  #isRepeating = false
  #family = 0
  #sample = 0
  readonly #changed: number[] = []
  #canRemember = true

  constructor(initialBytes?: number) {
    this.#writer = new FamilyWriter(initialBytes)
  }

  /** As FamilyWriter's. */
  get samples(): number {
    return this.#isRepeating ? this.#sample : this.#writer.samples
  }

  /** As FamilyWriter's. */
  get duplicates(): number {
    return this.#isRepeating ? 0 : this.#writer.duplicates
  }

  /** As FamilyWriter's. */
  typeOf(name: string): FamilyType | undefined {
    if (!this.#isRepeating) return this.#writer.typeOf(name)
    const first = this.#firstOfName.get(name)
    return first !== undefined && first < this.#family ? this.#types[first] : undefined
  }

  /** As FamilyWriter's. */
  family(name: string, help: string, type: FamilyType): void {
    if (this.#isRepeating) {
      const at = this.#family
      if (name === this.#names[at] && help === this.#helps[at] && type === this.#types[at]) {
        this.#family = at + 1
        return
      }
      this.#writeRepeated()
    }
    this.#writer.family(name, help, type)
    if (!this.#canRemember) return
    this.#names.push(name)
    this.#helps.push(help)
    this.#types.push(type)
  }

  /** As FamilyWriter's. */
  sample(value: number, labels: readonly string[] = noLabels, suffix?: string, timestampMs?: number): void {
    if (this.#isRepeating) {
      const at = this.#sample
      const isSame = this.#family === this.#families[at] && suffix === this.#suffixes[at] && timestampMs === undefined
      if (isSame && areSame(labels, this.#labels[at]!)) {
        const before = this.#values[at]!
        // NaN is what it was, too.
        if (value !== before && (value === value || before === before)) {
          this.#values[at] = value
          this.#changed.push(at)
        }
        this.#sample = at + 1
        return
      }
      this.#writeRepeated()
    }
    this.#writer.sample(value, labels, suffix, timestampMs)
    if (this.#canRemember) this.#remember(value, labels, suffix, timestampMs)
  }

  /** As FamilyWriter's. */
  finish(): Uint8Array {
    if (this.#isRepeating) {
      if (this.#sample === this.#values.length && this.#family === this.#names.length) return this.#finishRepeated()
      this.#writeRepeated()
    }
    const bytes = this.#writer.finish()
    if (this.#canRemember && this.#writer.duplicates === 0) this.#keep(bytes)
    return bytes
  }

  /** As FamilyWriter's; begins the next round. */
  reset(): void {
    if (!this.#isRepeating) this.#writer.reset()
    this.#isRepeating = this.#isRemembered
    if (!this.#isRepeating) this.#forget(0, 0)
    this.#family = this.#sample = 0
  }

  #remember(value: number, labels: readonly string[], suffix: string | undefined, timestampMs: number | undefined): void {
    if (timestampMs !== undefined || this.#values.length === rememberedSamplesMax) {
      this.#canRemember = false
      return this.#forget(0, 0)
    }
    this.#families.push(this.#names.length)
    this.#labels.push(labels.length === 0 ? noLabels : labels.slice())
    this.#suffixes.push(suffix)
    this.#values.push(value)
    this.#starts.push(this.#writer.valueStart)
    this.#ends.push(this.#writer.valueEnd)
  }

  #forget(families: number, samples: number): void {
    this.#isRemembered = false
    this.#firstOfName.clear()
    for (const list of [this.#names, this.#helps, this.#types]) list.length = families
    for (const list of [this.#families, this.#labels, this.#suffixes, this.#values]) list.length = samples
    this.#starts.length = this.#ends.length = this.#changed.length = 0
  }

  /** The round is another one than the one before: writes what was told of it until now. */
  #writeRepeated(): void {
    const writer = this.#writer
    this.#isRepeating = false
    this.#forget(this.#family, this.#sample)
    let family = 0
    for (let sample = 0; sample < this.#sample; sample++) {
      while (family < this.#families[sample]!) this.#beginAgain(family++)
      writer.sample(this.#values[sample]!, this.#labels[sample], this.#suffixes[sample])
      this.#starts.push(writer.valueStart)
      this.#ends.push(writer.valueEnd)
    }
    while (family < this.#family) this.#beginAgain(family++)
  }

  #beginAgain(family: number): void {
    this.#writer.family(this.#names[family]!, this.#helps[family]!, this.#types[family]!)
  }

  #keep(bytes: Uint8Array): void {
    const count = this.#values.length
    if (this.#bytes.length < bytes.length) this.#bytes = new Uint8Array(bytes.length + (bytes.length >> 3))
    this.#bytes.set(bytes)
    this.#length = bytes.length
    const places = Int32Array.from(this.#starts, (start) => this.#writer.placeOf(start))
    for (let i = 0; i < count; i++) this.#ends[i]! += places[i]! - this.#starts[i]!
    for (let i = 0; i < count; i++) this.#starts[i] = places[i]!
    this.#order = Int32Array.from({ length: count }, (_none, i) => i).sort((a, b) => places[a]! - places[b]!)
    for (let i = this.#names.length - 1; i >= 0; i--) this.#firstOfName.set(this.#names[i]!, i)
    this.#isRemembered = true
  }

  #finishRepeated(): Uint8Array {
    let resized = 0
    for (const sample of this.#changed) {
      const length = writeFloatG(this.#number, 0, this.#values[sample]!)
      const start = this.#starts[sample]!
      if (start + length !== this.#ends[sample]) resized++
      else for (let i = 0; i < length; i++) this.#bytes[start + i] = this.#number[i]!
    }
    if (resized > 0) this.#resize(resized)
    this.#changed.length = 0
    return this.#bytes.subarray(0, this.#length)
  }

  /** Numbers became longer or shorter: all behind them moves. */
  #resize(resized: number): void {
    const lengthMax = this.#length + resized * floatBytesMax
    if (this.#spare.length < lengthMax) this.#spare = new Uint8Array(lengthMax + (lengthMax >> 3))
    const bytes = this.#spare
    const before = this.#bytes
    const isChanged = new Set(this.#changed)
    let from = 0
    let to = 0
    for (const sample of this.#order) {
      const start = this.#starts[sample]!
      const moved = to - from
      const end = this.#ends[sample]!
      this.#starts[sample] = start + moved
      if (isChanged.has(sample)) {
        bytes.set(before.subarray(from, start), to)
        to = writeFloatG(bytes, start + moved, this.#values[sample]!)
        this.#ends[sample] = to
        from = end
      } else this.#ends[sample] = end + moved
    }
    bytes.set(before.subarray(from, this.#length), to)
    this.#length += to - from
    this.#bytes = bytes
    this.#spare = before
  }
}

function areSame(labels: readonly string[], before: readonly string[]): boolean {
  if (labels.length !== before.length) return false
  for (let i = 0; i < labels.length; i++) if (labels[i] !== before[i]) return false
  return true
}

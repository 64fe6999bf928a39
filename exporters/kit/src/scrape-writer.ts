import { isLegacyName } from '@narthex/exposition/family-writer'
import type { MetricWriter } from './collector.ts'

type FamilyType = Parameters<MetricWriter['family']>[2]

/** The writer of a whole scrape. */
export interface FamiliesWriter extends MetricWriter {
  /** The type with which a family of that name was started first in this scrape; undefined if there was none. */
  typeOf(name: string): FamilyType | undefined
}

/** Hands out writers over one to collectors that run at the same time. */
export class ScrapeWriter {
  readonly #families: FamiliesWriter
  #current: CollectorWriter | undefined

  /** Families refused because another collector had written them with another type. */
  typeClashes = 0

  constructor(families: FamiliesWriter) {
    this.#families = families
  }

  createWriter(): CollectorWriter {
    return new CollectorWriter(this)
  }

  /** Makes `writer`'s family the current one; false when its type contradicts what is written already. */
  enter(writer: CollectorWriter, name: string, help: string, type: FamilyType): boolean {
    const known = this.#families.typeOf(name)
    if (known !== undefined && known !== type) {
      this.typeClashes++
      return false
    }
    this.#families.family(name, help, type)
    this.#current = writer
    return true
  }

  isCurrent(writer: CollectorWriter): boolean {
    return this.#current === writer
  }

  sample(value: number, labels?: readonly string[], suffix?: string, timestampMs?: number): void {
    this.#families.sample(value, labels, suffix, timestampMs)
  }
}

/**
 * One collector's view of the scrape's writer. Asynchronous collectors take turns: whoever writes after another has written starts
 * its family anew, and the writer of all merges the parts. Closed at the deadline, so that a late collector cannot write into a body
 * that was sent, or into the next one.
 */
export class CollectorWriter implements MetricWriter {
  readonly #scrape: ScrapeWriter
  #name = ''
  #help = ''
  #type: FamilyType = 'untyped'
  #isRefused = false
  #isClosed = false

  constructor(scrape: ScrapeWriter) {
    this.#scrape = scrape
  }

  family(name: string, help: string, type: FamilyType): void {
    if (this.#isClosed) return
    this.#name = writableName(name)
    this.#help = help
    this.#type = type
    this.#isRefused = !this.#scrape.enter(this, this.#name, help, type)
  }

  sample(value: number, labels?: readonly string[], suffix?: string, timestampMs?: number): void {
    if (this.#isClosed || this.#isRefused) return
    if (!this.#scrape.isCurrent(this)) this.#scrape.enter(this, this.#name, this.#help, this.#type)
    this.#scrape.sample(value, labels, suffix, timestampMs)
  }

  close(): void {
    this.#isClosed = true
  }
}

/** Names are nearly always those of the scrape before; of more than these each is looked at anew. */
const namesKeptMax = 4_096
const writableNames = new Map<string, string>()

function writableName(name: string): string {
  let writable = writableNames.get(name)
  if (writable === undefined) {
    writable = isLegacyName(name) ? name : underscored(name)
    if (writableNames.size < namesKeptMax) writableNames.set(name, writable)
  }
  return writable
}

/** A name that was made of what a kernel or a server says; readers of text 0.0.4 would refuse the whole answer for one that is none. */
function underscored(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_:]/g, '_').replace(/^(?![a-zA-Z_:])/, '_')
}

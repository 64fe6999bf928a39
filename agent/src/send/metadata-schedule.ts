import type { FamilyMetadata, SeriesLayout } from '../store/frame.ts'
import type { FrameRef } from '../store/sample-frame.ts'
import type { MetadataPlan } from './request-builder.ts'

/** More families than this are not remembered for 1.0. */
export const familiesMax = 100_000

/**
 * Keeps what metadata a remote should get again. 2.0 carries it with the series, once per interval and target; 1.0 in
 * requests of its own, with all families of the targets seen since the last one.
 */
export class MetadataSchedule implements MetadataPlan {
  readonly #intervalMs: number
  readonly #now: () => number
  readonly #sent = new WeakMap<SeriesLayout, { atMs: number; sequence: number }>()
  #families = new Map<string, FamilyMetadata>()
  #seen = new WeakSet<SeriesLayout>()

  /** `intervalMs` Infinity: never. */
  constructor(intervalMs: number, now: () => number) {
    this.#intervalMs = intervalMs
    this.#now = now
  }

  /** Whether this frame's samples carry metadata; all slices of a frame agree. */
  isDue(frame: FrameRef): boolean {
    if (this.#intervalMs === Infinity || frame.layout.familyOfSeries === undefined) return false
    const sent = this.#sent.get(frame.layout)
    const now = this.#now()
    if (sent === undefined) {
      this.#sent.set(frame.layout, { atMs: now, sequence: frame.sequence })
      return true
    }
    // Either way: a clock that was set back would put it off for as long.
    if (sent.sequence !== frame.sequence && Math.abs(now - sent.atMs) >= this.#intervalMs) {
      sent.atMs = now
      sent.sequence = frame.sequence
    }
    return sent.sequence === frame.sequence
  }

  /** Notes the families of a layout for the next 1.0 metadata request. */
  note(layout: SeriesLayout): void {
    if (this.#seen.has(layout) || this.#intervalMs === Infinity) return
    this.#seen.add(layout)
    for (const family of layout.families) {
      if (this.#families.size < familiesMax || this.#families.has(family.name)) this.#families.set(family.name, family)
    }
  }

  /** The families to send now; layouts are noted afresh afterwards, so what is no longer scraped goes. */
  takeFamilies(): FamilyMetadata[] {
    const families = [...this.#families.values()]
    this.#families = new Map()
    this.#seen = new WeakSet()
    return families
  }
}

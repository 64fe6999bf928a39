import { layoutFrame, sampleFrame } from './frame-header.ts'
import { FrameScanner } from './frame-scanner.ts'
import type { DamageReport } from './frame-scanner.ts'
import type { SeriesLayout } from './frame.ts'
import { readLayout } from './layout-frame.ts'
import type { FrameRef } from './sample-frame.ts'

/** Layouts by the run and number that sample frames name them with. */
export type LayoutCache = Map<string, SeriesLayout>

/** Reads the sample frames of one segment in memory. A layout whose first copy is damaged is taken from its second, further on. */
export class SegmentReader {
  readonly #bytes: Uint8Array
  readonly #scanner: FrameScanner
  readonly #onDamage: (damage: DamageReport) => void
  readonly #known: LayoutCache
  /** What this segment needed; handed to the reader of the next segment, which mostly needs the same. */
  readonly layouts: LayoutCache = new Map()

  constructor(bytes: Uint8Array, known: LayoutCache, onDamage: (damage: DamageReport) => void) {
    this.#bytes = bytes
    this.#known = known
    this.#onDamage = onDamage
    this.#scanner = new FrameScanner(bytes, 0, onDamage)
  }

  /** The next undamaged frame with a sequence of at least `sequence`. */
  next(sequence: number): FrameRef | undefined {
    const scanner = this.#scanner
    const { header } = scanner
    while (scanner.next()) {
      if (header.kind === layoutFrame) this.#keepLayout(scanner)
      if (header.kind !== sampleFrame || header.sequence < sequence) continue
      const layout = this.#findLayout(layoutKey(header.layoutHigh, header.layoutLow), scanner.end)
      if (layout === undefined) {
        const frame = { kind: sampleFrame, sequence: header.sequence, samples: header.count }
        this.#onDamage({ offset: scanner.start, bytes: header.payloadBytes, frame })
        continue
      }
      return {
        sequence: header.sequence,
        layout,
        run: header.layoutHigh,
        count: header.count,
        columns: header.columns,
        minTimeMs: header.minTimeMs,
        maxTimeMs: header.maxTimeMs,
        bytes: this.#bytes,
        start: scanner.start,
        end: scanner.end,
      }
    }
    return undefined
  }

  #keepLayout(scanner: FrameScanner): void {
    const key = layoutKey(scanner.header.layoutHigh, scanner.header.layoutLow)
    if (this.layouts.has(key)) return
    this.layouts.set(key, this.#known.get(key) ?? readLayout(this.#bytes, scanner.start, scanner.end))
  }

  #findLayout(key: string, from: number): SeriesLayout | undefined {
    const layout = this.layouts.get(key) ?? this.#known.get(key) ?? this.#searchLayout(key, from)
    if (layout !== undefined) this.layouts.set(key, layout)
    return layout
  }

  #searchLayout(key: string, from: number): SeriesLayout | undefined {
    const ahead = new FrameScanner(this.#bytes, from, () => undefined)
    while (ahead.next()) {
      const { header } = ahead
      if (header.kind !== layoutFrame || layoutKey(header.layoutHigh, header.layoutLow) !== key) continue
      return readLayout(this.#bytes, ahead.start, ahead.end)
    }
    return undefined
  }
}

function layoutKey(high: number, low: number): string {
  return `${high}.${low}`
}

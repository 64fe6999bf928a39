import { ChunkPool } from './frame-chunk.ts'
import type { Chunk } from './frame-chunk.ts'
import { isPacked, layoutFrame, sampleFrame } from './frame-header.ts'
import { FrameScanner } from './frame-scanner.ts'
import type { DamageReport } from './frame-scanner.ts'
import type { SeriesLayout } from './frame.ts'
import { readLayout } from './layout-frame.ts'
import { readUnpackedBytes, unpackPayload } from './packed-payload.ts'
import { FrameError } from './sample-frame.ts'
import type { FrameRef } from './sample-frame.ts'

// Unpacked frames lie in chunks one behind the other, so that they are no garbage.
const unpackedBytes = 64 * 1024
const unpackedChunks = new ChunkPool(unpackedBytes, 16)

/** Layouts by the run and number that sample frames name them with. */
export type LayoutCache = Map<string, SeriesLayout>

/** A stretch of a segment in memory. */
export interface SegmentWindow {
  /** Held by the reader while it is read; frames name it, so that who keeps one can hold it too. */
  readonly chunk: Chunk
  readonly length: number
  /** The segment ends where the window does. */
  readonly isEnd: boolean
}

/**
 * Reads the sample frames of one window of a segment. A layout whose first copy is damaged is taken from its second, further on; if that may lie
 * behind the window, `needsWhole` is set and the reader stops.
 */
export class SegmentReader {
  readonly #bytes: Uint8Array
  readonly #window: SegmentWindow
  readonly #scanner: FrameScanner
  readonly #onDamage: (damage: DamageReport) => void
  readonly #known: LayoutCache
  #unpacked: Chunk | undefined
  #unpackedEnd = 0
  /** What this segment needed; handed to the reader of the next segment, which mostly needs the same. */
  readonly layouts: LayoutCache = new Map()

  needsWhole = false

  constructor(window: SegmentWindow, known: LayoutCache, onDamage: (damage: DamageReport) => void) {
    const { bytes } = window.chunk
    this.#window = window
    this.#bytes = bytes
    this.#known = known
    this.#onDamage = onDamage
    this.#scanner = new FrameScanner(bytes, 0, onDamage, window.length, window.isEnd)
  }

  /** How far the window was read; the next one begins there. */
  get offset(): number {
    return this.#scanner.offset
  }

  /** Lets go of the window. */
  release(): void {
    this.#window.chunk.release()
    this.#unpacked?.release()
    this.#unpacked = undefined
  }

  /** The next undamaged frame with a sequence of at least `sequence`. */
  next(sequence: number): FrameRef | undefined {
    const scanner = this.#scanner
    const { header } = scanner
    while (scanner.next()) {
      if (header.kind === layoutFrame) this.#keepLayout(scanner)
      if (header.kind !== sampleFrame || header.sequence < sequence) continue
      const layout = this.#findLayout(layoutKey(header.layoutHigh, header.layoutLow), scanner.end)
      if (layout === undefined && !this.#window.isEnd) {
        scanner.putBack()
        this.needsWhole = true
        return undefined
      }
      if (layout === undefined) {
        const frame = { kind: sampleFrame, sequence: header.sequence, samples: header.count }
        this.#onDamage({ offset: scanner.start, bytes: header.payloadBytes, frame })
        continue
      }
      const payload = this.#payload(scanner)
      if (payload === undefined) continue
      return {
        sequence: header.sequence,
        layout,
        run: header.layoutHigh,
        count: header.count,
        columns: header.columns & ~isPacked,
        minTimeMs: header.minTimeMs,
        maxTimeMs: header.maxTimeMs,
        ...payload,
      }
    }
    return undefined
  }

  #keepLayout(scanner: FrameScanner): void {
    const key = layoutKey(scanner.header.layoutHigh, scanner.header.layoutLow)
    if (this.layouts.has(key)) return
    const layout = this.#known.get(key) ?? this.#readLayout(scanner)
    if (layout !== undefined) this.layouts.set(key, layout)
  }

  /** Undefined for one that its checksum did not save: its sample frames are lost then, and nothing else. */
  #readLayout(scanner: FrameScanner): SeriesLayout | undefined {
    const payload = this.#payload(scanner)
    if (payload === undefined) return undefined
    try {
      return readLayout(payload.bytes, payload.start, payload.end)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      return undefined
    }
  }

  /** Where the columns of the scanner's frame lie; a packed payload that cannot be unpacked is damage. */
  #payload(scanner: FrameScanner): { bytes: Uint8Array; start: number; end: number; chunk?: Chunk } | undefined {
    const { header, start, end } = scanner
    if ((header.columns & isPacked) === 0) return { bytes: this.#bytes, start, end, chunk: this.#window.chunk }
    try {
      const length = readUnpackedBytes(this.#bytes, start, end)
      const chunk = this.#roomFor(length)
      const at = this.#unpackedEnd
      unpackPayload(this.#bytes, start, end, length, chunk.bytes, at)
      // As aligned as the beginning of a chunk.
      this.#unpackedEnd = (at + length + 7) & ~7
      return { bytes: chunk.bytes, start: at, end: at + length, chunk }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#onDamage({ offset: start, bytes: end - start, frame: { kind: header.kind, sequence: header.sequence, samples: header.count } })
      return undefined
    }
  }

  #roomFor(length: number): Chunk {
    if (this.#unpacked !== undefined && this.#unpackedEnd + length <= this.#unpacked.bytes.length) return this.#unpacked
    this.#unpacked?.release()
    this.#unpackedEnd = 0
    return (this.#unpacked = unpackedChunks.take(length))
  }

  #findLayout(key: string, from: number): SeriesLayout | undefined {
    const layout = this.layouts.get(key) ?? this.#known.get(key) ?? this.#searchLayout(key, from)
    if (layout !== undefined) this.layouts.set(key, layout)
    return layout
  }

  #searchLayout(key: string, from: number): SeriesLayout | undefined {
    const ahead = new FrameScanner(this.#bytes, from, () => undefined, this.#window.length)
    while (ahead.next()) {
      const { header } = ahead
      if (header.kind !== layoutFrame || layoutKey(header.layoutHigh, header.layoutLow) !== key) continue
      const layout = this.#readLayout(ahead)
      if (layout !== undefined) return layout
    }
    return undefined
  }
}

function layoutKey(high: number, low: number): string {
  return `${high}.${low}`
}

import { SampleColumns } from '@narthex/model/sample-columns'
import { lateHint } from '../block/block-meta.ts'
import { BlockWriter } from '../block/block-writer.ts'
import type { BlockChunk } from '../block/block-writer.ts'
import type { BlockMeta } from '../block/block-meta.ts'
import { dropDeleted } from '../block/tombstones.ts'
import { xorEncoding } from '../chunk/chunk-encoding.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { encodeXorChunk } from '../chunk/xor-encoder.ts'
import { deletedIntervalsOf } from '../head/deleted-intervals.ts'
import type { DeletedIntervals } from '../head/deleted-intervals.ts'
import { HeadMemory } from '../head/head-memory.ts'
import type { HeadDescriptor } from '../head/head-memory.ts'
import { LabelPairs } from '../head/label-pairs.ts'
import { Symbols } from '../head/symbols.ts'
import { PinnedChunks } from '../select/head-series-set.ts'
import { orderByLabels } from '../select/label-order.ts'
import { LabelReader } from '../select/label-reader.ts'
import { LateReader } from '../select/late-reader.ts'
import { movePin, Pinner } from '../select/pins.ts'
import type { Pins } from '../select/pins.ts'
import { dropDeletedHistograms, encodeMixedChunks } from '../select/histogram-samples.ts'
import type { ChunkStatistics } from './chunk-statistics.ts'
import { sealedOf } from './late-ranges.ts'
import { SymbolOrdinals } from './symbol-ordinals.ts'

export interface HeadBlockRequest {
  /** The data directory. */
  readonly directory: string
  readonly ulid: string
  /** Samples of [minTimeMs, maxTimeMs) go into the block. */
  readonly minTimeMs: number
  readonly maxTimeMs: number
  /** Samples that are left out. */
  readonly deletions?: DeletedIntervals | undefined
  /** Whether late samples are in it too, or only those, the sealed ones. Default: none. */
  readonly late?: 'too' | 'only'
}

/**
 * Writes a block of what the head has in a range, as it is at one commit, and syncs it. Undefined, and nothing is written, if that is nothing.
 * `statistics` hear of its chunks. Runs in any thread, and holds up no append. Memory: 24 bytes for each series of the head, 12 to 20 for each symbol, and the block's index.
 */
export async function writeHeadBlock(
  descriptor: HeadDescriptor,
  request: HeadBlockRequest,
  statistics?: ChunkStatistics,
): Promise<BlockMeta | undefined> {
  const cut = new HeadCut(descriptor, request)
  try {
    if (cut.seriesCount === 0) return undefined
    const writer = new BlockWriter(request.directory, request.ulid)
    try {
      cut.writeTo(writer, statistics)
      if (writer.numSeries === 0) {
        await writer.discard()
        return undefined
      }
      const { minTimeMs, maxTimeMs, ulid } = request
      const hints = request.late === 'only' ? { hints: [lateHint] } : {}
      return await writer.finish({ minTimeMs, maxTimeMs, compaction: { level: 1, sources: [ulid], ...hints } })
    } catch (error) {
      await writer.discard()
      throw error
    }
  } finally {
    cut.release()
  }
}

/** The series of the head with samples in a range, both ends included, pinned until `release`. */
class HeadCut {
  readonly #symbols: Symbols
  readonly #pairs: LabelPairs
  readonly #labels: LabelReader
  readonly #pinner: Pinner
  readonly #chunks: PinnedChunks
  readonly #pins: Pins
  readonly #minTimeMs: number
  readonly #maxTimeMs: number
  readonly #deletions: DeletedIntervals | undefined
  readonly #late: LateReader
  #count = 0

  constructor(descriptor: HeadDescriptor, { minTimeMs, maxTimeMs, deletions, late }: HeadBlockRequest) {
    const memory = new HeadMemory(descriptor)
    this.#symbols = new Symbols(memory)
    this.#pairs = new LabelPairs(memory)
    this.#labels = new LabelReader(memory, this.#symbols, this.#pairs)
    this.#pinner = new Pinner(memory, descriptor.readerSlot)
    this.#chunks = new PinnedChunks(memory)
    this.#minTimeMs = minTimeMs
    this.#maxTimeMs = maxTimeMs - 1
    this.#deletions = deletions
    this.#late = new LateReader(memory)
    this.#pinner.hold()
    this.#pins = this.#pinner.pin(Uint32Array.from({ length: this.#pinner.seriesCount() }, (_, i) => i + 1))
    if (late === undefined) this.#pins.late = []
    if (late === 'only') {
      this.#pins.late = sealedOf(this.#pins)
      this.#pins.totals.fill(0)
    }
    this.#keepThoseWithSamples()
  }

  get seriesCount(): number {
    return this.#count
  }

  release(): void {
    this.#pinner.release()
    this.#chunks.close()
  }

  #keepThoseWithSamples(): void {
    const { refs, chunks, totals, lastTimesMs, late } = this.#pins
    for (let i = 0; i < refs.length; i++) {
      const isInOrder =
        totals[i] !== 0 &&
        lastTimesMs[i]! >= this.#minTimeMs &&
        this.#chunks.overlaps(chunks[i]!, totals[i]!, this.#minTimeMs, this.#maxTimeMs)
      if (!isInOrder && !this.#late.overlaps(late, i, this.#minTimeMs, this.#maxTimeMs)) continue
      movePin(this.#pins, i, this.#count++)
    }
  }

  writeTo(writer: BlockWriter, statistics: ChunkStatistics | undefined): void {
    const { refs } = this.#pins
    const ordinals = new SymbolOrdinals(this.#symbols)
    for (let i = 0; i < this.#count; i++) {
      this.#labels.forEachPair(refs[i]!, (pair) => {
        ordinals.add(this.#pairs.name(pair))
        ordinals.add(this.#pairs.value(pair))
      })
    }
    ordinals.sort()
    writer.symbols(ordinals.texts())
    const order = orderByLabels(refs, this.#count, { labels: this.#labels, pairs: this.#pairs, symbols: this.#symbols, check: () => {} })
    const labels = new Uint32Array(2 * labelsMax)
    for (const i of order) {
      let length = 0
      this.#labels.forEachPair(refs[i]!, (pair) => {
        labels[length++] = ordinals.ordinal(this.#pairs.name(pair))
        labels[length++] = ordinals.ordinal(this.#pairs.value(pair))
      })
      const chunks = this.#chunksOf(i)
      // The range may begin in the middle of a chunk that has nothing in it, and all may be deleted.
      if (chunks.length === 0) continue
      writer.addSeries(labels.subarray(0, length), chunks)
      statistics?.add(chunks)
    }
  }

  /** Chunks as the head cut them; those that reach out of the range only with what is in it, all without what is deleted. */
  #chunksOf(i: number): BlockChunk[] {
    const { chunks, totals } = this.#pins
    const deleted = this.#deletions === undefined ? undefined : deletedIntervalsOf(this.#deletions, this.#pins.refs[i]!)
    const written: BlockChunk[] = []
    if (this.#late.overlaps(this.#pins.late, i, this.#minTimeMs, this.#maxTimeMs)) {
      this.#encodeWithLate(i, deleted, written)
      return written
    }
    for (let found = this.#chunks.find(chunks[i]!, totals[i]!, this.#minTimeMs, this.#maxTimeMs) - 1; found >= 0; found--) {
      const whole = deleted === undefined ? this.#chunks.wholeFound(found, this.#minTimeMs, this.#maxTimeMs) : undefined
      if (whole !== undefined) {
        written.push(whole)
        continue
      }
      if (this.#chunks.hasHistograms(found)) {
        this.#chunks.encodeFoundHistograms(found, this.#minTimeMs, this.#maxTimeMs, deleted, written)
        continue
      }
      samples.clear()
      this.#chunks.readFound(found, this.#minTimeMs, this.#maxTimeMs, samples)
      if (deleted !== undefined) dropDeleted(deleted, samples, 0)
      const { length, times } = samples
      if (length === 0) continue
      const data = encodeXorChunk(samples, 0, length)
      written.push({ encoding: xorEncoding, minTimeMs: times[0]!, maxTimeMs: times[length - 1]!, data })
    }
    return written
  }

  #encodeWithLate(i: number, deleted: Float64Array | undefined, into: BlockChunk[]): void {
    const { chunks, totals, late } = this.#pins
    samples.clear()
    histograms.clear()
    for (let found = this.#chunks.find(chunks[i]!, totals[i]!, this.#minTimeMs, this.#maxTimeMs) - 1; found >= 0; found--) {
      this.#chunks.readFound(found, this.#minTimeMs, this.#maxTimeMs, samples)
      this.#chunks.readFoundHistograms(found, this.#minTimeMs, this.#maxTimeMs, histograms)
    }
    this.#late.mergeInto(late, i, this.#minTimeMs, this.#maxTimeMs, samples, 0)
    this.#late.mergeHistogramsInto(late, i, this.#minTimeMs, this.#maxTimeMs, histograms, 0)
    if (deleted !== undefined) {
      dropDeleted(deleted, samples, 0)
      dropDeletedHistograms(deleted, histograms, 0)
    }
    encodeMixedChunks(samples, histograms, into)
  }
}

const samples = new SampleColumns(256)
const histograms = new HistogramColumns()
/** As the head has it. */
const labelsMax = 65_536

import { SampleColumns } from '@narthex/model/sample-columns'
import { BlockWriter } from '../block/block-writer.ts'
import type { BlockChunk } from '../block/block-writer.ts'
import type { BlockMeta } from '../block/block-meta.ts'
import { dropDeleted } from '../block/tombstones.ts'
import { xorEncoding } from '../chunk/chunk-encoding.ts'
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
import { Pinner } from '../select/pins.ts'
import type { Pins } from '../select/pins.ts'
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
}

/**
 * Writes a block of what the head has in a range, as it is at one commit, and syncs it. Undefined, and nothing is written, if that is nothing.
 * Runs in any thread, and holds up no append. Memory: 24 bytes for each series of the head, 12 to 20 for each symbol, and the block's index.
 */
export async function writeHeadBlock(descriptor: HeadDescriptor, request: HeadBlockRequest): Promise<BlockMeta | undefined> {
  const cut = new HeadCut(descriptor, request.minTimeMs, request.maxTimeMs - 1, request.deletions)
  try {
    if (cut.seriesCount === 0) return undefined
    const writer = new BlockWriter(request.directory, request.ulid)
    try {
      cut.writeTo(writer)
      if (writer.numSeries === 0) {
        await writer.discard()
        return undefined
      }
      const { minTimeMs, maxTimeMs } = request
      return await writer.finish({ minTimeMs, maxTimeMs, compaction: { level: 1, sources: [request.ulid] } })
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
  #count = 0

  constructor(descriptor: HeadDescriptor, minTimeMs: number, maxTimeMs: number, deletions: DeletedIntervals | undefined) {
    const memory = new HeadMemory(descriptor)
    this.#symbols = new Symbols(memory)
    this.#pairs = new LabelPairs(memory)
    this.#labels = new LabelReader(memory, this.#symbols, this.#pairs)
    this.#pinner = new Pinner(memory, descriptor.readerSlot)
    this.#chunks = new PinnedChunks(memory)
    this.#minTimeMs = minTimeMs
    this.#maxTimeMs = maxTimeMs
    this.#deletions = deletions
    this.#pinner.hold()
    this.#pins = this.#pinner.pin(Uint32Array.from({ length: this.#pinner.seriesCount() }, (_, i) => i + 1))
    this.#keepThoseWithSamples()
  }

  get seriesCount(): number {
    return this.#count
  }

  release(): void {
    this.#pinner.release()
  }

  #keepThoseWithSamples(): void {
    const { refs, chunks, totals, lastTimesMs } = this.#pins
    for (let i = 0; i < refs.length; i++) {
      if (totals[i] === 0 || lastTimesMs[i]! < this.#minTimeMs) continue
      if (!this.#chunks.overlaps(chunks[i]!, totals[i]!, this.#minTimeMs, this.#maxTimeMs)) continue
      refs[this.#count] = refs[i]!
      chunks[this.#count] = chunks[i]!
      totals[this.#count] = totals[i]!
      this.#count++
    }
  }

  writeTo(writer: BlockWriter): void {
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
      if (chunks.length > 0) writer.addSeries(labels.subarray(0, length), chunks)
    }
  }

  /** Chunks as the head cut them; those that reach out of the range only with what is in it, all without what is deleted. */
  #chunksOf(i: number): BlockChunk[] {
    const { chunks, totals } = this.#pins
    const deleted = this.#deletions === undefined ? undefined : deletedIntervalsOf(this.#deletions, this.#pins.refs[i]!)
    const written: BlockChunk[] = []
    for (let found = this.#chunks.find(chunks[i]!, totals[i]!, this.#minTimeMs, this.#maxTimeMs) - 1; found >= 0; found--) {
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
}

const samples = new SampleColumns(256)
/** As the head has it. */
const labelsMax = 65_536

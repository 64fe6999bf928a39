import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseSeriesText, SeriesTextError } from '@narthex/exposition/series-text'
import { Labels } from '@narthex/model/labels'
import type { MetricType } from '@narthex/model/metric-type'
import type { BlockMeta } from '../block/block-meta.ts'
import { makeUlid } from '../block/ulid.ts'
import { writeHeadBlock } from '../compact/head-block.ts'
import { blockRanges } from '../compact/compaction-plan.ts'
import { accepted, describeAppendResult, duplicateSample, outOfOrder } from '../head/append-result.ts'
import { Head } from '../head/head.ts'
import { describeFileError, ToolError } from './open-blocks.ts'
import { OpenMetricsHistory } from './openmetrics-history.ts'

export const blockRangeDefaultMs = 2 * 3600 * 1000
const rangesOfPrometheus = 10
const rangeFactor = 3
const samplesPerCommit = 5000

export interface CreateBlocksRequest {
  readonly inputPath: string
  readonly outputDirectory: string
  /** Blocks are as long as the longest of 2 h × 3^k that is not longer. */
  readonly maxBlockDurationMs: number
  /** Set on every series, over those of the file. */
  readonly labels: Labels
  /** Ceiling over the samples of one block, compressed, and the labels of all. */
  readonly memoryBytesMax: number
  /** Bytes of the file in memory at a time; 128 KiB if not given. */
  readonly windowBytes?: number
  readonly now?: () => number
}

export interface CreateBlocksResult {
  readonly samples: number
  readonly blocks: number
  /** Samples that were not newer than the one before of their series and so are in no block; an equal one is not counted. */
  readonly samplesLeftOut: number
}

/**
 * Makes blocks of a file of OpenMetrics text with timestamps, as `promtool tsdb create-blocks-from openmetrics` does: one for each range of time
 * with samples, chunks cut as the head cuts them. The file is read once for its range and then for each block in parts that have its
 * times. Throws a `ToolError` with promtool's text; blocks that were written before stay.
 */
export async function createBlocks(
  request: CreateBlocksRequest,
  onBlock: (meta: BlockMeta, directory: string) => void,
): Promise<CreateBlocksResult> {
  const { outputDirectory, inputPath } = request
  const history = OpenMetricsHistory.open(inputPath, request.windowBytes)
  try {
    try {
      mkdirSync(outputDirectory, { recursive: true })
    } catch (cause) {
      // A file of that name: the system's word for it is another where it stands further up in the path.
      const isTaken = (cause as NodeJS.ErrnoException).code === 'EEXIST'
      const reason = isTaken ? `mkdir ${outputDirectory}: not a directory` : describeFileError('mkdir', outputDirectory, cause)
      throw new ToolError(`create output dir: ${reason}`, { cause })
    }
    const range = within('getting min and max timestamp: ', () => history.scan())
    const result = { samples: range.samples, blocks: 0, samplesLeftOut: 0 }
    if (range.samples === 0) return result
    const rangeMs = chooseBlockRange(request.maxBlockDurationMs)
    const builder = new BlockBuilder(history, request, rangeMs)
    for (let next = range.minTimeMs; next !== Infinity;) {
      const fromMs = Math.floor(next / rangeMs) * rangeMs
      next = within('block creation: process blocks: ', () => builder.read(fromMs))
      const meta = await builder.write()
      result.blocks++
      onBlock(meta, join(outputDirectory, meta.ulid))
    }
    result.samplesLeftOut = builder.samplesLeftOut
    return result
  } finally {
    history.close()
  }
}

/** The longest range of Prometheus' blocks that is not above `maxBlockDurationMs`; at least 2 h. */
export function chooseBlockRange(maxBlockDurationMs: number): number {
  const longest = blockRangeDefaultMs * rangeFactor ** (rangesOfPrometheus - 1)
  return blockRanges(blockRangeDefaultMs, Math.min(longest, maxBlockDurationMs)).at(-1)!
}

function within<T>(place: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (error instanceof ToolError) throw new ToolError(place + error.message, { cause: error })
    throw error
  }
}

/** Fills one head with a block's samples at a time. Its series stay for the next block, their samples go. */
class BlockBuilder {
  readonly #history: OpenMetricsHistory
  readonly #request: CreateBlocksRequest
  readonly #rangeMs: number
  readonly #head: Head
  /** Times of the newest committed samples by reference, -Infinity if there is none. */
  #committedMs = new Float64Array(1024).fill(-Infinity)
  readonly #batchRefs = new Uint32Array(samplesPerCommit)
  readonly #batchTimesMs = new Float64Array(samplesPerCommit)
  #batchLength = 0
  #minTimeMs = Infinity
  #maxTimeMs = -Infinity
  samplesLeftOut = 0

  constructor(history: OpenMetricsHistory, request: CreateBlocksRequest, rangeMs: number) {
    this.#history = history
    this.#request = request
    this.#rangeMs = rangeMs
    // Twice as long as the blocks are, as in promtool: else a head takes no samples of half a range before its newest.
    this.#head = new Head({ memoryBytesMax: request.memoryBytesMax, chunkRangeMs: rangeMs * 2, wireAliasesMax: 1_000_000 })
    this.#head.startReplay()
  }

  /** Takes the samples of the range that begins at `fromMs`. Gives the time of a later sample, Infinity if there is none. */
  read(fromMs: number): number {
    this.#minTimeMs = Infinity
    this.#maxTimeMs = -Infinity
    const next = this.#history.read(fromMs, fromMs + this.#rangeMs, (bytes, start, end, type, timeMs, low, high) => {
      const ref = this.#head.refByWire(bytes, start, end)
      this.#append(ref > 0 ? ref : this.#findSeries(bytes, start, end, type), timeMs, low, high)
    })
    this.#commit()
    return next
  }

  async write(): Promise<BlockMeta> {
    const { outputDirectory, now = Date.now } = this.#request
    const descriptor = this.#head.descriptor()
    let meta: BlockMeta | undefined
    try {
      const times = { minTimeMs: this.#minTimeMs, maxTimeMs: this.#maxTimeMs + 1 }
      meta = await writeHeadBlock(descriptor, { directory: outputDirectory, ulid: makeUlid(now()), ...times })
    } finally {
      this.#head.releaseReader(descriptor)
    }
    // The range was chosen for a sample in it, and the first sample of a range is taken always.
    if (meta === undefined) throw new Error('cannot write block: want samples in its range, got none')
    for (let ref = 1; ref !== 0;) ref = this.#head.dropBefore(Infinity, ref, this.#head.places)
    this.#committedMs.fill(-Infinity)
    return meta
  }

  #findSeries(bytes: Uint8Array, start: number, end: number, type: MetricType): number {
    let labels: Labels
    try {
      labels = Labels.join(parseSeriesText(bytes, start, end, type), this.#request.labels)
    } catch (error) {
      if (error instanceof SeriesTextError) throw new ToolError(`add sample: ${error.message}`, { cause: error })
      throw error
    }
    const ref = this.#head.refByLabels(labels)
    if (ref < 0) throw new ToolError(`add sample: ${this.#head.refusal()}`)
    this.#head.rememberWire(bytes, start, end, ref)
    if (ref >= this.#committedMs.length) {
      const larger = new Float64Array(Math.max(ref + 1, this.#committedMs.length * 2)).fill(-Infinity)
      larger.set(this.#committedMs)
      this.#committedMs = larger
    }
    return ref
  }

  #append(ref: number, timeMs: number, low: number, high: number): void {
    const result = this.#head.append(ref, timeMs, low, high)
    if (result === accepted) {
      this.#batchRefs[this.#batchLength] = ref
      this.#batchTimesMs[this.#batchLength] = timeMs
      if (timeMs < this.#minTimeMs) this.#minTimeMs = timeMs
      if (timeMs > this.#maxTimeMs) this.#maxTimeMs = timeMs
    } else if ((result !== outOfOrder && result !== duplicateSample) || timeMs <= this.#committedMs[ref]!) {
      throw new ToolError(`add sample: ${describeAppendResult(result)}: ${this.#head.labelsOf(ref).metricString()} at ${timeMs}`)
    } else {
      // promtool finds these only at its commit, where they go without a word.
      this.samplesLeftOut++
      this.#batchRefs[this.#batchLength] = ref
      this.#batchTimesMs[this.#batchLength] = -Infinity
    }
    if (++this.#batchLength === samplesPerCommit) this.#commit()
  }

  #commit(): void {
    for (let i = 0; i < this.#batchLength; i++) {
      const ref = this.#batchRefs[i]!
      this.#committedMs[ref] = Math.max(this.#committedMs[ref]!, this.#batchTimesMs[i]!)
    }
    this.#batchLength = 0
    this.#head.commit()
  }
}

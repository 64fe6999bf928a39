import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { HistogramColumns } from '@narthex/model/histogram-columns'
import { Labels } from '@narthex/model/labels'
import type { SampleColumns } from '@narthex/model/sample-columns'
import type { BlockMeta } from '../block/block-meta.ts'
import { makeUlid } from '../block/ulid.ts'
import { writeHeadBlock } from '../compact/head-block.ts'
import { accepted, describeAppendResult, duplicateSample, invalidHistogram, outOfOrder } from '../head/append-result.ts'
import { Head } from '../head/head.ts'
import { chooseBlockRange } from './create-blocks.ts'
import { describeFileError, ToolError } from './open-blocks.ts'

/** Of a series in one answer. */
export interface RangeSeries {
  readonly labels: Labels
  readonly samples: SampleColumns
  /** At times at which there is no float. */
  readonly histograms?: HistogramColumns | undefined
}

/** A recording rule over time. */
export interface BackfilledRule {
  readonly record: string
  readonly expression: string
  /** Stand over the labels of the result. */
  readonly labels: Readonly<Record<string, string>>
  readonly intervalMs: number
  /** Evaluations are at multiples of the interval plus this. */
  readonly phaseMs: number
  /** Its native histograms are stored as gauges. */
  readonly yieldsGauges: boolean
}

export interface RuleBlocksRequest {
  readonly rules: readonly BackfilledRule[]
  /** Both included. */
  readonly startMs: number
  readonly endMs: number
  readonly outputDirectory: string
  /** Blocks are as long as the longest of 2 h × 3^k that is not longer. */
  readonly maxBlockDurationMs: number
  /** Ceiling over the samples of one block, compressed, with their labels. */
  readonly memoryBytesMax: number
  /** False: native histograms with custom buckets are left out. */
  readonly takesCustomBuckets: boolean
  /** What a query gives from `startMs` to `endMs`, both included, every `stepMs`. */
  ask(expression: string, startMs: number, endMs: number, stepMs: number): Promise<readonly RangeSeries[]>
  readonly now?: () => number
}

export interface RuleBlocksReport {
  onBlock(meta: BlockMeta, directory: string): void
  /** A rule that could not be evaluated is left out from here on. */
  onFailure(rule: BackfilledRule, reason: string): void
}

/** What did not go into a block. */
export interface LeftOut {
  samples: number
  histograms: number
  /** Why the first of them did not. */
  histogramReason: string
}

/** Points that servers give a query in one answer. */
const pointsMax = 11_000

/**
 * Makes blocks of what recording rules would have recorded, as `promtool tsdb create-blocks-from rules` does, yet one for each range of time with
 * the results of all rules. Rules see what the server has, not each other's results. Gives how many samples were left out since two rules gave
 * the same series, and how many native histograms the storage refuses, with the first reason. Throws a `ToolError` when a block cannot be written; those written before stay.
 */
export async function createRuleBlocks(request: RuleBlocksRequest, report: RuleBlocksReport): Promise<LeftOut> {
  const rangeMs = chooseBlockRange(request.maxBlockDurationMs)
  const failed = new Set<BackfilledRule>()
  const leftOut: LeftOut = { samples: 0, histograms: 0, histogramReason: '' }
  for (let fromMs = Math.floor(request.startMs / rangeMs) * rangeMs; fromMs <= request.endMs; fromMs += rangeMs) {
    const block = new RangeBlock(request, rangeMs, leftOut)
    const firstMs = Math.max(fromMs, request.startMs)
    const lastMs = Math.min(fromMs + rangeMs - 1, request.endMs)
    for (const rule of request.rules) {
      if (failed.has(rule)) continue
      try {
        await fill(block, rule, firstMs, lastMs, request)
      } catch (error) {
        if (error instanceof ToolError) throw error
        failed.add(rule)
        report.onFailure(rule, error instanceof Error ? error.message : String(error))
      }
    }
    const meta = await block.write()
    if (meta !== undefined) report.onBlock(meta, join(request.outputDirectory, meta.ulid))
  }
  return leftOut
}

async function fill(block: RangeBlock, rule: BackfilledRule, firstMs: number, lastMs: number, request: RuleBlocksRequest): Promise<void> {
  const { intervalMs, phaseMs } = rule
  const windowMs = (pointsMax - 1) * intervalMs
  const slotMs = Math.ceil((firstMs - phaseMs) / intervalMs) * intervalMs + phaseMs
  for (let fromMs = slotMs; fromMs <= lastMs; fromMs += windowMs + intervalMs) {
    const series = await request.ask(rule.expression, fromMs, Math.min(lastMs, fromMs + windowMs), intervalMs)
    for (const { labels, samples, histograms } of series) {
      const named = Labels.join(labels, Labels.from(rule.labels)).with('__name__', rule.record)
      // An empty label of a rule takes the result's away.
      const emptied = Object.keys(rule.labels).filter((name) => rule.labels[name] === '')
      block.add(named.without(...emptied), samples, histograms, rule.yieldsGauges)
    }
  }
}

/** The samples of one block, in a head of its own. */
class RangeBlock {
  readonly #request: RuleBlocksRequest
  readonly #head: Head
  #minTimeMs = Infinity
  #maxTimeMs = -Infinity
  readonly #leftOut: LeftOut

  constructor(request: RuleBlocksRequest, rangeMs: number, leftOut: LeftOut) {
    this.#leftOut = leftOut
    this.#request = request
    // Twice as long as the block: else a head takes no samples of half a range before its newest.
    this.#head = new Head({ memoryBytesMax: request.memoryBytesMax, chunkRangeMs: rangeMs * 2 })
    this.#head.takesCustomBuckets = request.takesCustomBuckets
    this.#head.startReplay()
  }

  /** Times ascend. */
  add(labels: Labels, floats: SampleColumns, histograms: HistogramColumns | undefined, areGauges: boolean): void {
    const histogramCount = histograms?.length ?? 0
    if (floats.length + histogramCount === 0) return
    const ref = this.#head.refByLabels(labels)
    if (ref < 0) throw new ToolError(`add: ${this.#head.refusal()}`)
    const { times, words } = floats
    for (let i = 0, k = 0; i < floats.length || k < histogramCount;) {
      const isHistogram = k < histogramCount && !(i < floats.length && times[i]! < histograms!.times[k]!)
      const timeMs = isHistogram ? histograms!.times[k]! : times[i]!
      const result = isHistogram
        ? this.#head.appendHistogram(ref, timeMs, { ...histograms!.histogram(k++), isGauge: areGauges })
        : this.#head.append(ref, timeMs, words[2 * i]!, words[2 * i++ + 1]!)
      this.#note(result, labels, timeMs)
    }
    this.#head.commit()
  }

  #note(result: number, labels: Labels, timeMs: number): void {
    if (result === accepted) {
      this.#minTimeMs = Math.min(this.#minTimeMs, timeMs)
      this.#maxTimeMs = Math.max(this.#maxTimeMs, timeMs)
    } else if (result === outOfOrder || result === duplicateSample) this.#leftOut.samples++
    else if (result === invalidHistogram) {
      if (this.#leftOut.histograms++ === 0) this.#leftOut.histogramReason = this.#head.refusal()
    } else throw new ToolError(`add: ${describeAppendResult(result)}: ${labels.metricString()} at ${timeMs}`)
  }

  /** Undefined without samples. */
  async write(): Promise<BlockMeta | undefined> {
    if (this.#maxTimeMs === -Infinity) return undefined
    const { outputDirectory, now = Date.now } = this.#request
    try {
      mkdirSync(outputDirectory, { recursive: true })
    } catch (cause) {
      throw new ToolError(`create output dir: ${describeFileError('mkdir', outputDirectory, cause)}`, { cause })
    }
    const descriptor = this.#head.descriptor()
    const times = { minTimeMs: this.#minTimeMs, maxTimeMs: this.#maxTimeMs + 1 }
    return await writeHeadBlock(descriptor, { directory: outputDirectory, ulid: makeUlid(now()), ...times })
  }
}

import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { Labels } from '@narthex/model/labels'
import { silentLogger } from '@narthex/service/logger'
import { accepted, describeAppendResult } from '../head/append-result.ts'
import type { Head } from '../head/head.ts'
import { openStore } from '../open-store.ts'
import { describeFileError, ToolError } from './open-blocks.ts'

export interface BenchWriteRequest {
  /** A JSON object of labels a line. */
  readonly inputPath: string
  /** Where the storage is made; what is there is added to. */
  readonly directory: string
  /** Lines to read at most. */
  readonly metricsMax: number
  /** Rounded up to hundreds, as promtool does. */
  readonly scrapes: number
}

export type BenchStage = 'readData' | 'ingestScrapes' | 'stopStorage'

export interface BenchWriteReport {
  onStart(stage: BenchStage): void
  onEnd(stage: BenchStage, milliseconds: number): void
  /** Between the end of ingestion and that of its stage. */
  onIngested(): void
  onSamples(samples: number, milliseconds: number): void
}

// The workload of promtool: the scrapes of 1000 series at a time, 100 of them, then of the next 1000.
const seriesPerBatch = 1000
const scrapesPerRound = 100
const intervalMs = 30_000
const firstValue = 123_456_789
const valueStep = 1000

/**
 * Measures how fast a storage takes samples, with the samples of `promtool tsdb bench write`: log and head as in the server, in one thread. Throws a
 * `ToolError` for a file that cannot be read.
 */
export async function benchWrite(request: BenchWriteRequest, report: BenchWriteReport): Promise<void> {
  const store = openStore({ directory: request.directory, log: silentLogger, retentionMs: 0, keepsHeadState: false })
  try {
    const labels = await measure('readData', report, () => readLabels(request.inputPath, request.metricsMax))
    let samples = 0
    let milliseconds = 0
    const started = performance.now()
    await measure('ingestScrapes', report, async () => {
      samples = await ingest(store.head, labels, request.scrapes)
      milliseconds = performance.now() - started
      report.onIngested()
    })
    report.onSamples(samples, milliseconds)
    await measure('stopStorage', report, () => store.close())
  } finally {
    await store.close()
  }
}

async function measure<T>(stage: BenchStage, report: BenchWriteReport, action: () => Promise<T>): Promise<T> {
  report.onStart(stage)
  const started = performance.now()
  const result = await action()
  report.onEnd(stage, performance.now() - started)
  return result
}

async function readLabels(path: string, linesMax: number): Promise<Labels[]> {
  const found = new Map<string, Labels>()
  const stream = createReadStream(path, 'utf8')
  let line = 0
  try {
    for await (const text of createInterface({ input: stream, crlfDelay: Infinity })) {
      if (line === linesMax) break
      const labels = parseLabels(text, ++line)
      found.set(labels.key(), labels)
    }
  } catch (cause) {
    if (cause instanceof ToolError) throw cause
    throw new ToolError(describeFileError('open', path, cause), { cause })
  } finally {
    stream.destroy()
  }
  return [...found.values()]
}

function parseLabels(text: string, line: number): Labels {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    content = undefined
  }
  const values = typeof content === 'object' && content !== null && !Array.isArray(content) ? Object.values(content) : []
  if (values.length === 0 || !values.every((value) => typeof value === 'string')) {
    throw new ToolError(`cannot read line ${line}: want a JSON object of labels, got ${JSON.stringify(text.slice(0, 100))}`)
  }
  return Labels.from(content as Record<string, string>)
}

async function ingest(head: Head, labels: readonly Labels[], scrapes: number): Promise<number> {
  let samples = 0
  for (let round = 0; round < scrapes; round += scrapesPerRound) {
    for (let from = 0; from < labels.length; from += seriesPerBatch) {
      samples += await ingestRound(head, labels.slice(from, from + seriesPerBatch), round * intervalMs)
    }
  }
  return samples
}

async function ingestRound(head: Head, batch: readonly Labels[], baseMs: number): Promise<number> {
  const refs = batch.map((labels) => {
    const ref = head.refByLabels(labels)
    if (ref < 0) throw new ToolError(`add sample: ${head.refusal()}`)
    return ref
  })
  const value = new Float64Array([firstValue])
  const words = new Uint32Array(value.buffer)
  for (let scrape = 1; scrape <= scrapesPerRound; scrape++) {
    value[0]! += valueStep
    for (const ref of refs) {
      const result = head.append(ref, baseMs + scrape * intervalMs, words[0]!, words[1]!)
      if (result !== accepted) throw new ToolError(`add sample: ${describeAppendResult(result)}`)
    }
    head.commit()
    // The log is written meanwhile.
    await new Promise((resolve) => setImmediate(resolve))
  }
  return refs.length * scrapesPerRound
}

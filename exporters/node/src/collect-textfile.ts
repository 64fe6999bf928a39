import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import { FailureMemory, reasonOf } from '@narthex/exporter-kit/failure-memory'
import { parseFamilies, type MetricFamily } from '@narthex/exporter-kit/family-parser'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { parseGoFloat } from '@narthex/model/number'
import type { Logger } from '@narthex/service/logger'
import { constants } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { compareLabels } from './compare-labels.ts'
import type { NodeEnvironment } from './environment.ts'
import { globDirectories } from './glob-directories.ts'

export const textfileFlags: readonly FlagSpec[] = [
  {
    name: 'collector.textfile.directory',
    type: 'string',
    repeatable: true,
    default: [],
    help: 'Directory to read text files with metrics from, supports glob matching. (repeatable)',
  },
]

/** Largest file that is read. */
export const textfileBytesMax = 64 * 1024 * 1024

/** A file that turned into a named pipe since it was looked at is empty then. */
const readWithoutWaiting = constants.O_RDONLY | constants.O_NONBLOCK

interface TextFile {
  readonly path: string
  readonly mtimeMs: number
  readonly sizeBytes: number
  readonly inode: number
  /** Absent if the file is not valid. */
  readonly families: readonly MetricFamily[] | undefined
}

interface Reading {
  readonly files: readonly TextFile[]
  readonly hasErrors: boolean
}

export function createTextfileCollector(environment: NodeEnvironment): Collector {
  const log = new TextfileLog(environment.log)
  const reader = new TextfileReader(environment.flags.strings('collector.textfile.directory'), log)

  function collect({ writer }: CollectContext): void | Promise<void> {
    if (reader.isIdle) return writeReading(writer, { files: [], hasErrors: false }, log)
    return reader.read().then((reading) => writeReading(writer, reading, log))
  }

  return { name: 'textfile', defaultOn: true, collect }
}

/** A file or directory that stays as it is costs a line when it begins to fail and when the reason changes, not one per scrape. */
class TextfileLog {
  readonly #log: Logger
  readonly #failures = new FailureMemory()

  constructor(log: Logger) {
    this.#log = log
  }

  directoryFailed(path: string, error: unknown): void {
    if (this.#failures.isNews(path, reasonOf(error))) this.#log.error('failed to read textfile collector directory', { path, err: error })
  }

  fileFailed(file: string, error: unknown): void {
    if (this.#failures.isNews(file, reasonOf(error))) this.#log.error('failed to collect textfile data', { file, err: error })
  }

  succeeded(path: string): void {
    this.#failures.isOver(path)
  }

  /** Families of the file that are not as an earlier file has them; none: all is well. */
  noteClashes(file: string, clashes: readonly string[]): void {
    const subject = `clashes of ${file}`
    const metrics = clashes.join()
    if (metrics === '') this.#failures.isOver(subject)
    else if (this.#failures.isNews(subject, metrics)) this.#log.error('inconsistent metric help text or type', { file, metrics })
  }
}

/**
 * Reads the directories in the thread pool, because they may lie on a mount that hangs. Scrapes at the same time share one reading, so
 * such a mount holds one thread at most. A file is parsed again only when its time, size or inode has changed.
 */
class TextfileReader {
  readonly #directories: readonly string[]
  readonly #log: TextfileLog
  #known = new Map<string, TextFile>()
  #reading: Promise<Reading> | undefined

  constructor(directories: readonly string[], log: TextfileLog) {
    this.#directories = directories.filter((directory) => directory !== '')
    this.#log = log
  }

  /** True when there is nothing to read. */
  get isIdle(): boolean {
    return this.#directories.length === 0
  }

  read(): Promise<Reading> {
    this.#reading ??= this.#readAll().finally(() => (this.#reading = undefined))
    return this.#reading
  }

  async #readAll(): Promise<Reading> {
    const files = new Map<string, TextFile>()
    let hasErrors = false
    for (const pattern of this.#directories) {
      for (const directory of await globDirectories(pattern)) {
        try {
          for (const name of (await readdir(directory)).sort()) {
            if (!name.endsWith('.prom')) continue
            const path = join(directory, name)
            const file = await this.#readFile(path)
            if (file === undefined) hasErrors = true
            else files.set(path, file)
          }
          this.#log.succeeded(directory)
        } catch (error) {
          hasErrors = true
          this.#log.directoryFailed(directory, error)
        }
      }
    }
    this.#known = files
    return { files: [...files.values()], hasErrors }
  }

  async #readFile(path: string): Promise<TextFile | undefined> {
    try {
      const status = await stat(path)
      const { mtimeMs, size: sizeBytes, ino: inode } = status
      const known = this.#known.get(path)
      if (known?.mtimeMs === mtimeMs && known.sizeBytes === sizeBytes && known.inode === inode) return known
      if (sizeBytes > textfileBytesMax) throw new Error(`want at most ${textfileBytesMax} bytes, got ${sizeBytes}`)
      // A named pipe would be waited for until somebody writes into it, a device may never end.
      if (!status.isFile()) throw new Error(`want a regular file, got ${status.isDirectory() ? 'a directory' : 'something else'}`)
      return { path, mtimeMs, sizeBytes, inode, families: this.#parse(path, await readFile(path, { flag: readWithoutWaiting })) }
    } catch (error) {
      this.#log.fileFailed(path, error)
      return undefined
    }
  }

  #parse(path: string, bytes: Uint8Array): readonly MetricFamily[] | undefined {
    try {
      const families = parseFamilies(bytes)
      if (families.some((family) => family.samples.some((sample) => sample.hasTimestamp))) {
        throw new Error(`textfile "${path}" contains unsupported client-side timestamps, skipping entire file`)
      }
      this.#log.succeeded(path)
      return families
    } catch (error) {
      this.#log.fileFailed(path, error)
      return undefined
    }
  }
}

function writeReading(writer: MetricWriter, reading: Reading, log: TextfileLog): void {
  let hasErrors = reading.hasErrors
  const merged = new Map<string, { type: string; help: string | undefined; readonly parts: MetricFamily[]; readonly paths: string[] }>()
  for (const { path, families } of reading.files) {
    if (families === undefined) hasErrors = true
    const clashes: string[] = []
    for (const family of families ?? []) {
      const known = merged.get(family.name)
      if (known === undefined) {
        merged.set(family.name, { type: family.type, help: family.help, parts: [family], paths: [path] })
        continue
      }
      const helpClashes = family.help !== undefined && known.help !== undefined && family.help !== known.help
      if (helpClashes || family.type !== known.type) {
        hasErrors = true
        clashes.push(family.name)
        continue
      }
      known.help ??= family.help
      known.parts.push(family)
      known.paths.push(path)
    }
    log.noteClashes(path, clashes)
  }
  for (const [name, { help, parts, paths }] of merged) writeFamily(writer, name, help ?? `Metric read from ${paths.join(', ')}`, parts)
  writer.family('node_textfile_mtime_seconds', 'Time of the last change of each text file that was read.', 'gauge')
  for (const { path, mtimeMs, families } of reading.files)
    if (families !== undefined) writer.sample(Math.floor(mtimeMs / 1000), ['file', path])
  writer.family('node_textfile_scrape_error', 'Whether a text file could not be opened or read (1) or all is well (0).', 'gauge')
  writer.sample(hasErrors ? 1 : 0)
}

/** Every sample of a family gets all label names that any sample of its file has, as the original does. */
function writeFamily(writer: MetricWriter, name: string, help: string, parts: readonly MetricFamily[]): void {
  writer.family(name, help, parts[0]!.type)
  for (const { samples, type } of parts) {
    const names = new Set<string>()
    for (const { labels } of samples) for (let i = 0; i < labels.length; i += 2) names.add(labels[i]!)
    if (type === 'histogram') names.delete('le')
    if (type === 'summary') names.delete('quantile')
    const filled = samples.map(({ value, labels, suffix }) => ({ value, suffix, labels: fillLabels(labels, names) }))
    if (type === 'histogram' || type === 'summary') {
      for (const { value, labels, suffix } of completeSeries(filled, type)) writer.sample(value, labels, suffix === '' ? undefined : suffix)
      continue
    }
    filled.sort((a, b) => compareLabels(a.labels, b.labels))
    for (const { value, labels } of filled) writer.sample(value, labels)
  }
}

interface FilledSample {
  readonly value: number
  readonly suffix: string
  readonly labels: readonly string[]
}

/**
 * Series by series, with what a script has left out and the original adds: sum, count, and the bucket that counts all. Samples of a series
 * stay as they stand in the file.
 */
function completeSeries(samples: readonly FilledSample[], type: 'histogram' | 'summary'): FilledSample[] {
  const bound = type === 'histogram' ? 'le' : 'quantile'
  const series = new Map<string, { readonly labels: readonly string[]; readonly samples: FilledSample[] }>()
  for (const sample of samples) {
    const labels = withoutLabel(sample.labels, bound)
    const key = labels.join('\0')
    const known = series.get(key)
    if (known === undefined) series.set(key, { labels, samples: [sample] })
    else known.samples.push(sample)
  }
  for (const { labels, samples: present } of series.values()) {
    const find = (suffix: string): FilledSample | undefined => present.find((sample) => sample.suffix === suffix)
    const count = find('_count')?.value ?? 0
    const hasAll = present.some(
      ({ suffix, labels: own }) => suffix === '_bucket' && parseGoFloat(own[findLabel(own, 'le') + 1] ?? '') === Infinity,
    )
    if (type === 'histogram' && !hasAll) present.push({ value: count, suffix: '_bucket', labels: [...labels, 'le', '+Inf'] })
    if (find('_sum') === undefined) present.push({ value: 0, suffix: '_sum', labels })
    if (find('_count') === undefined) present.push({ value: 0, suffix: '_count', labels })
  }
  return [...series.values()].flatMap((one) => one.samples)
}

function withoutLabel(labels: readonly string[], name: string): readonly string[] {
  const position = findLabel(labels, name)
  return position < 0 ? labels : labels.toSpliced(position, 2)
}

/** Where the label's name stands in the flat list; -1 if it does not. */
function findLabel(labels: readonly string[], name: string): number {
  return labels.findIndex((label, position) => position % 2 === 0 && label === name)
}

function fillLabels(labels: readonly string[], names: ReadonlySet<string>): readonly string[] {
  let present = 0
  for (let i = 0; i < labels.length; i += 2) if (names.has(labels[i]!)) present++
  if (present === names.size) return labels
  const filled: string[] = []
  for (const name of [...names].sort()) {
    const index = findLabel(labels, name)
    filled.push(name, index < 0 ? '' : labels[index + 1]!)
  }
  for (let i = 0; i < labels.length; i += 2) if (!names.has(labels[i]!)) filled.push(labels[i]!, labels[i + 1]!)
  return filled
}

import { readdirSync, readFileSync, statSync, watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import type { FileDiscovery } from '@narthex/config/discovery-config'
import type { Logger } from '@narthex/service/logger'
import { parseDocument, visit } from 'yaml'
import type { Clock, Timer } from '../clock.ts'
import { endGroups, readTargetGroups } from './read-target-groups.ts'
import type { Discoverer, TargetGroup } from './target-groups.ts'

/** Larger files are refused: they are lists of targets, not data. */
const targetFileBytesMax = 64 * 2 ** 20
/** What all files of one entry may hold together. */
const targetFilesBytesMax = 256 * 2 ** 20

export interface TargetFileLimits {
  readonly fileBytesMax: number
  readonly allBytesMax: number
}

export const targetFileLimits: TargetFileLimits = { fileBytesMax: targetFileBytesMax, allBytesMax: targetFilesBytesMax }

export interface FileDiscoveryEvents {
  onReadError(): void
  onWatchError(): void
  /** All files were read. */
  onScan(seconds: number): void
}

/** Editors replace a file in several steps; after a hint from the system this long is waited for the rest. */
const settleMs = 50

/**
 * file_sd_configs: JSON or YAML lists of groups, read when the directory reports a change and every refresh interval. A file with bad
 * content keeps its last good groups and is reported; a file that is gone ends its groups.
 */
export class FileDiscoverer implements Discoverer {
  readonly #config: FileDiscovery
  readonly #log: Logger
  readonly #clock: Clock
  readonly #events: FileDiscoveryEvents
  readonly #limits: TargetFileLimits
  #update: (groups: readonly TargetGroup[]) => void = () => {}
  #groupCounts = new Map<string, number>()
  #contents = new Map<string, { readonly text: string; readonly bytes: number }>()
  #bytes = 0
  #watchers = new Map<string, FSWatcher>()
  #refresh: Timer | undefined
  #settle: Timer | undefined
  #stopped = false

  constructor(config: FileDiscovery, log: Logger, clock: Clock, events: FileDiscoveryEvents, limits = targetFileLimits) {
    this.#config = config
    this.#log = log
    this.#clock = clock
    this.#events = events
    this.#limits = limits
  }

  start(update: (groups: readonly TargetGroup[]) => void): void {
    this.#update = update
    this.#readAll()
    this.#scheduleRefresh()
  }

  stop(): void {
    this.#stopped = true
    this.#clock.clearTimer(this.#refresh)
    this.#clock.clearTimer(this.#settle)
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  #scheduleRefresh(): void {
    this.#refresh = this.#clock.setTimer(() => {
      this.#readAll()
      this.#scheduleRefresh()
    }, this.#config.refreshIntervalMs)
  }

  #readAll(): void {
    if (this.#stopped) return
    const started = this.#clock.elapsed()
    const paths = listTargetFiles(this.#config.files)
    for (const pattern of this.#config.files) this.#watchDirectory(dirname(pattern))
    for (const path of paths) this.#readFile(path)
    for (const path of this.#groupCounts.keys()) if (!paths.has(path)) this.#endFile(path)
    this.#events.onScan((this.#clock.elapsed() - started) / 1000)
  }

  #readFile(path: string): void {
    try {
      this.#checkSize(statSync(path).size)
      const content = readFileSync(path)
      const bytes = content.length
      this.#checkSize(bytes)
      const text = content.toString('utf8')
      const before = this.#contents.get(path)
      if (before?.text === text) return
      const allBytes = this.#bytes - (before?.bytes ?? 0) + bytes
      const { allBytesMax } = this.#limits
      if (allBytes > allBytesMax) throw new Error(`want at most ${allBytesMax} bytes in all files, got ${allBytes}`)
      const groups = parseTargetGroups(text, path)
      this.#contents.set(path, { text, bytes })
      this.#bytes = allBytes
      this.#publish(path, groups)
    } catch (error) {
      this.#events.onReadError()
      this.#log.error('Error reading file', { path, err: error })
    }
  }

  #checkSize(bytes: number): void {
    const { fileBytesMax } = this.#limits
    if (bytes > fileBytesMax) throw new Error(`want at most ${fileBytesMax} bytes, got ${bytes}`)
  }

  /** Groups that the file does not have any more are published empty. */
  #publish(path: string, groups: readonly TargetGroup[]): void {
    const ended = endGroups(path, this.#groupCounts.get(path) ?? 0, groups.length)
    this.#groupCounts.set(path, groups.length)
    this.#update([...groups, ...ended])
  }

  #endFile(path: string): void {
    this.#publish(path, [])
    this.#groupCounts.delete(path)
    this.#bytes -= this.#contents.get(path)?.bytes ?? 0
    this.#contents.delete(path)
  }

  #watchDirectory(directory: string): void {
    if (this.#watchers.has(directory)) return
    try {
      const watcher = watch(directory, () => this.#settleSoon())
      watcher.on('error', () => {
        this.#events.onWatchError()
        watcher.close()
        this.#watchers.delete(directory)
      })
      watcher.unref()
      this.#watchers.set(directory, watcher)
    } catch {
      // A directory that is not there yet is looked at again with the next refresh.
      this.#events.onWatchError()
    }
  }

  #settleSoon(): void {
    if (this.#stopped) return
    this.#clock.clearTimer(this.#settle)
    this.#settle = this.#clock.setTimer(() => this.#readAll(), settleMs)
  }
}

/** The files that the patterns name; a `*` or `?` stands in the last path element only. */
export function listTargetFiles(patterns: readonly string[]): Set<string> {
  const paths = new Set<string>()
  for (const pattern of patterns) {
    const name = basename(pattern)
    const directory = dirname(pattern)
    const matches = globRegex(name)
    try {
      for (const entry of readdirSync(directory)) if (matches.test(entry)) paths.add(join(directory, entry))
    } catch {
      // No directory, no files.
    }
  }
  return paths
}

function globRegex(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replace(/\*/g, '[^/]*')
    .replace(/\?/g, '[^/]')
  try {
    return new RegExp(`^${source}$`)
  } catch {
    return new RegExp(`^${glob.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`)
  }
}

/** The groups in a target file's text; throws with a one-line reason. `__meta_filepath` names the file in every group. */
export function parseTargetGroups(text: string, path: string): TargetGroup[] {
  const extension = extname(path).toLowerCase()
  if (extension !== '.json' && extension !== '.yml' && extension !== '.yaml') {
    throw new Error(`retrieveTargetGroups: unhandled file extension ${JSON.stringify(extname(path))}`)
  }
  const content: unknown = extension === '.json' ? JSON.parse(text) : parseYaml(text)
  return readTargetGroups(content, path, { __meta_filepath: path })
}

const isNull = /^(?:~|null|Null|NULL)?$/

function parseYaml(text: string): unknown {
  const document = parseDocument(text, { version: '1.1', schema: 'failsafe', uniqueKeys: true, stringKeys: true })
  if (document.errors.length > 0) throw new Error(document.errors[0]!.message.split('\n')[0]!)
  // All scalars are texts in this schema, so that `on` and `1e3` stay as written; only nothing is nothing.
  visit(document, {
    Scalar(key, scalar) {
      if (key !== 'key' && scalar.type === 'PLAIN' && isNull.test(String(scalar.value))) scalar.value = null
    },
  })
  return document.toJS({ maxAliasCount: 100 })
}

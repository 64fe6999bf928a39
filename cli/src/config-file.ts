import { readFileSync } from 'node:fs'
import { ConfigError } from '@narthex/config/config-error'
import { parsePrometheusConfig, type ConfigMode, type PrometheusConfig } from '@narthex/config/prometheus-config'
import { hashFiles, listWatchableFiles } from '@narthex/config/reload'
import { collectUnsupported } from '@narthex/config/unsupported'
import { systemClock, type Clock } from '@narthex/service/clock'
import type { Logger } from '@narthex/service/logger'
import { UserError } from '@narthex/service/user-error'
import type { ConfigMetrics } from './config-metrics.ts'

export interface ConfigFileOptions {
  /** `--config.file`. */
  readonly path: string
  readonly mode: ConfigMode
  readonly log: Logger
  readonly metrics: ConfigMetrics
}

/** The configuration file of a running program: read at its start, and again when somebody asks or when it changes. */
export class ConfigFile {
  readonly #options: ConfigFileOptions
  /** The last good one, and what the last bad one was refused for. */
  #config: PrometheusConfig | undefined
  #refusedPath: string | undefined
  #hash = ''

  constructor(options: ConfigFileOptions) {
    this.#options = options
  }

  /** Reads and checks the file at the start. Throws UserError or ConfigError with one line. */
  load(): PrometheusConfig {
    const { path } = this.#options
    try {
      return this.#read()
    } catch (cause) {
      if (!(cause instanceof UserError)) throw cause
      throw new UserError(`Error loading config (--config.file=${path}): ${cause.message}`, 2, { cause })
    }
  }

  /** Takes the file anew. Whatever goes wrong, the old configuration stays in force, and the error says what and where in one line. */
  async reload(apply: (config: PrometheusConfig) => void | Promise<void>): Promise<void> {
    const { path, log, metrics } = this.#options
    log.info('Loading configuration file', { filename: path })
    try {
      await apply(this.#readAgain())
    } catch (error) {
      metrics.loaded(false)
      throw error
    }
    metrics.loaded(true)
    log.info('Completed loading of configuration file', { filename: path })
  }

  /**
   * Calls `reload` when the content of the file, of one that it includes or of a rule file changes, or when one comes or goes; after a
   * failure with the next change. Returns what ends it.
   */
  watch(intervalMs: number, reload: () => Promise<void>, clock: Clock = systemClock): () => void {
    const { log } = this.#options
    let isStopped = false
    const look = async (): Promise<void> => {
      if (this.#hashFiles() !== this.#hash) {
        log.info('Configuration file change detected, reloading the configuration.')
        await reload().catch((error: unknown) => log.error('Error reloading config', { err: error }))
      }
      if (!isStopped) cancel = clock.setTimer(() => void look(), intervalMs)
    }
    let cancel = clock.setTimer(() => void look(), intervalMs)
    return () => {
      isStopped = true
      cancel()
    }
  }

  #readAgain(): PrometheusConfig {
    try {
      return this.#read()
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new UserError(`couldn't load configuration (--config.file=${JSON.stringify(this.#options.path)}): ${reason}`, 2, { cause })
    }
  }

  #read(): PrometheusConfig {
    const { path, mode, log } = this.#options
    this.#refusedPath = undefined
    try {
      const config = parsePrometheusConfig(readText(path), { path, mode })
      this.#config = config
      for (const warning of collectUnsupported(config)) log.warn(warning)
      return config
    } catch (error) {
      // What is wrong may stand in a file that the last good configuration did not name: its correction must be noticed, too.
      if (error instanceof ConfigError) this.#refusedPath = error.path
      throw error
    } finally {
      this.#hash = this.#hashFiles()
    }
  }

  #hashFiles(): string {
    const paths = this.#config === undefined ? [this.#options.path] : listWatchableFiles(this.#config)
    const refused = this.#refusedPath
    return hashFiles(refused === undefined || paths.includes(refused) ? paths : [...paths, refused])
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file or directory' : (cause as Error).message
    throw new UserError(`open ${path}: ${reason}`, 2, { cause })
  }
}

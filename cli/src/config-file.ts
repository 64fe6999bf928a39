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
  readonly env?: NodeJS.ProcessEnv
}

/** The configuration file of a running program: read at its start, and again when somebody asks or when it changes. */
export class ConfigFile {
  readonly #options: ConfigFileOptions
  #watched: readonly string[]
  #hash = ''

  constructor(options: ConfigFileOptions) {
    this.#options = options
    this.#watched = [options.path]
  }

  /** Reads and checks the file, and says what of it has no effect yet. Throws UserError or ConfigError, one line each. */
  load(): PrometheusConfig {
    const { path, mode, log, env } = this.#options
    try {
      const config = parsePrometheusConfig(readConfigText(path), { path, mode, ...(env === undefined ? {} : { env }) })
      this.#watched = listWatchableFiles(config)
      for (const warning of collectUnsupported(config)) log.warn(warning)
      return config
    } catch (error) {
      // What is wrong may stand in a file that the last good configuration did not name: its correction must be noticed, too.
      if (error instanceof ConfigError && !this.#watched.includes(error.path)) this.#watched = [...this.#watched, error.path]
      throw error
    } finally {
      this.#hash = hashFiles(this.#watched)
    }
  }

  /** Takes the file anew; whatever goes wrong, the old configuration stays in force, and the error says what and where. */
  async reload(apply: (config: PrometheusConfig) => Promise<void>, metrics: ConfigMetrics): Promise<void> {
    const { path, log } = this.#options
    log.info('Loading configuration file', { filename: path })
    try {
      await apply(this.#loadAgain())
      metrics.loaded(true)
      log.info('Completed loading of configuration file', { filename: path })
    } catch (error) {
      metrics.loaded(false)
      throw error
    }
  }

  #loadAgain(): PrometheusConfig {
    const { path } = this.#options
    try {
      return this.load()
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new UserError(`couldn't load configuration (--config.file=${JSON.stringify(path)}): ${reason}`, 2, { cause })
    }
  }

  /**
   * Calls `reload` when the content of the file, of one that it includes or of a rule file changes, or when one comes or goes; after a
   * failure with the next change. Returns what ends it.
   */
  watch(intervalMs: number, reload: () => Promise<void>, clock: Clock = systemClock): () => void {
    const { log } = this.#options
    let isStopped = false
    let cancel = clock.setTimer(look, intervalMs)

    async function run(): Promise<void> {
      log.info('Configuration file change detected, reloading the configuration.')
      try {
        await reload()
      } catch (error) {
        log.error('Error reloading config', { err: error })
      }
    }
    // Globs are the configuration's own: a file that is new to one of them is noticed as well.
    const hasChanged = (): boolean => hashFiles(this.#watched) !== this.#hash || this.#hasNewFiles()
    function look(): void {
      const looked = hasChanged() ? run() : Promise.resolve()
      void looked.then(() => {
        if (!isStopped) cancel = clock.setTimer(look, intervalMs)
      })
    }
    return () => {
      isStopped = true
      cancel()
    }
  }
}

/** Throws UserError with Prometheus' text. */
function readConfigText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file or directory' : (cause as Error).message
    throw new UserError(`Error loading config (--config.file=${path}): open ${path}: ${reason}`, 2, { cause })
  }
}

import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { describeConfig } from '@narthex/config/describe-config'
import type { EmbeddedExporterConfig } from '@narthex/config/embedded-exporters'
import type { ScrapeConfig } from '@narthex/config/scrape-config'
import type { Logger } from '@narthex/service/logger'
import type { ServiceAddress } from './embedded-exporter.ts'
import type { EmbeddedExporters } from './embedded-exporters.ts'
import { instanceOf } from './instance-name.ts'

/** A longer password file is refused. */
const passwordFileBytesMax = 64 * 1024

interface Running {
  readonly key: string
  readonly config: EmbeddedExporterConfig
}

/** The exporters of the configuration's `exporters` section. */
export class ConfiguredExporters {
  readonly #embedded: EmbeddedExporters | undefined
  readonly #log: Logger
  #running = new Map<string, Running>()

  /** Without `embedded` the program has no exporters in it, and every entry is told as one warning. */
  constructor(embedded: EmbeddedExporters | undefined, log: Logger) {
    this.#embedded = embedded
    this.#log = log
  }

  /** Attaches and detaches to match; one that is unchanged keeps its connections. Gives the scrape jobs and what has no effect. */
  apply(configs: readonly EmbeddedExporterConfig[]): { readonly jobs: ScrapeConfig[]; readonly warnings: string[] } {
    const before = this.#running
    this.#running = new Map()
    const jobs: ScrapeConfig[] = []
    const warnings: string[] = []
    for (const config of configs) {
      const place = `${config.kind}/${config.name}`
      const known = before.get(place)
      const key = describeConfig({ ...config, scrape: undefined, labels: undefined })
      try {
        if (this.#embedded === undefined) throw new Error('this program has no exporters in it')
        if (known?.key !== key) this.#attach(config, this.#embedded)
        this.#running.set(place, { key, config })
        before.delete(place)
        jobs.push(makeJob(config, this.#embedded))
      } catch (error) {
        warnings.push(`exporter ${place} is not started: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    for (const { config } of before.values()) this.#embedded?.detach(config.kind, config.name, this)
    for (const warning of warnings) this.#log.warn(warning)
    return { jobs, warnings }
  }

  /** Where the services of these exporters are, so that they are not attached a second time. */
  *services(): Iterable<ServiceAddress> {
    for (const { config } of this.#running.values()) yield placeOf(config)
  }

  #attach(config: EmbeddedExporterConfig, embedded: EmbeddedExporters): void {
    const { kind, name, flags, password, passwordFile } = config
    const place = placeOf(config)
    const resolve = async (): Promise<ServiceAddress> => {
      // Read for every scrape, so that a new password is taken at once.
      const given = passwordFile === undefined ? password?.reveal() : await readPassword(passwordFile)
      return given === undefined ? place : { ...place, password: given }
    }
    embedded.attach({ kind, name, flags, owner: this, resolve })
  }
}

function placeOf({ address, socketPath, uri, username }: EmbeddedExporterConfig): ServiceAddress {
  return {
    ...(address === undefined ? {} : { address }),
    ...(socketPath === undefined ? {} : { socketPath }),
    ...(uri === undefined ? {} : { uri }),
    ...(username === undefined ? {} : { username }),
  }
}

function makeJob(config: EmbeddedExporterConfig, embedded: EmbeddedExporters): ScrapeConfig {
  const { kind, name, labels, scrape } = config
  const group = { targets: [embedded.address], labels: { instance: instanceOf(placeOf(config), hostname()), ...labels } }
  return { ...scrape, metricsPath: embedded.pathOf(kind, name), discovery: [{ mechanism: 'static', groups: [group] }] }
}

/** The content without the line break at its end. Throws with the path in one line. */
export async function readPassword(path: string): Promise<string> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (cause) {
    throw new Error(`cannot read password file ${path}: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`, { cause })
  }
  if (bytes.length > passwordFileBytesMax) {
    throw new Error(`cannot read password file ${path}: want at most ${passwordFileBytesMax} bytes, got ${bytes.length}`)
  }
  return bytes.toString('utf8').replace(/\r?\n$/, '')
}

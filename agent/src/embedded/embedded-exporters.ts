import { describeConfig } from '@narthex/config/describe-config'
import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import type { InProcessTargets } from '../scrape/in-process.ts'
import type {
  EmbeddedAnswer,
  EmbeddedExporter,
  EmbeddedFactories,
  EmbeddedFlags,
  EmbeddedKind,
  ServiceAddress,
} from './embedded-exporter.ts'
import { ScrapeTurns } from './scrape-turns.ts'

/** Exporters attached at a time; further services are found but not attached. */
export const attachedMax = 64

export interface EmbeddedExportersOptions {
  readonly factories: EmbeddedFactories
  readonly inProcess: InProcessTargets
  /** `host:port` under which this process serves `handle`: what the targets' URLs show. */
  readonly address: string
  /** Route prefix of the listener, empty or as `/prefix`. */
  readonly pathPrefix?: string
  readonly log: Logger
  readonly registry: Registry
}

/** An exporter to attach. */
export interface Attachment {
  readonly kind: EmbeddedKind
  /** Unique within the kind; safe in a path. */
  readonly name: string
  readonly flags: EmbeddedFlags
  /** Who attached it: one owner's attachments are not taken over by another. */
  readonly owner: object
  /**
   * Asked before every scrape: where the service is and how one gets in. When its answer changes the exporter is made anew. Throws with the
   * line to show on the Targets page while there is no way in; the service is not spoken to then. `credentials` is the name that relabeling
   * put into `__param_credentials`, or empty.
   */
  resolve(credentials: string): ServiceAddress | Promise<ServiceAddress>
}

interface Attached {
  readonly attachment: Attachment
  readonly turns: ScrapeTurns
  readonly path: string
  /** The exporter of the last answer of `resolve`. */
  key: string
  exporter: EmbeddedExporter | undefined
}

export interface AttachedStatus {
  readonly kind: EmbeddedKind
  readonly name: string
  readonly path: string
}

/**
 * The exporters that run in this process. Each is scraped by the agent through a call and by others over HTTP under the same path; a scrape
 * has its own deadline, and one that hangs keeps nobody but the next scrapes of the same exporter.
 */
export class EmbeddedExporters {
  readonly #options: EmbeddedExportersOptions
  readonly #host: string
  readonly #attached = new Map<string, Attached>()

  constructor(options: EmbeddedExportersOptions) {
    this.#options = options
    // As the URL of a target names it: port 80 is left out.
    this.#host = new URL(`http://${options.address}`).host
    const gauge = options.registry.gauge('narthex_agent_embedded_exporters', 'Exporters that run in this process.', ['kind'])
    options.registry.onCollect(() => {
      gauge.clear()
      for (const { attachment } of this.#attached.values()) gauge.labels(attachment.kind).inc()
    })
  }

  /** `__address__` of their targets. */
  get address(): string {
    return this.#options.address
  }

  /** Whether the program has exporters of this kind. */
  has(kind: EmbeddedKind): boolean {
    return this.#options.factories[kind] !== undefined
  }

  /** `__metrics_path__` of an exporter's target. */
  pathOf(kind: EmbeddedKind, name: string): string {
    return `${this.#options.pathPrefix ?? ''}/exporters/${kind}/${name}/metrics`
  }

  list(): AttachedStatus[] {
    return [...this.#attached.values()].map(({ attachment: { kind, name }, path }) => ({ kind, name, path }))
  }

  /**
   * Makes an exporter reachable; nothing is connected before the first scrape. The same owner may attach it again with other settings.
   * Throws, with the reason in one line, when the kind is not part of the program, the place is taken or there are too many.
   */
  attach(attachment: Attachment): void {
    const { kind, name } = attachment
    const path = this.pathOf(kind, name)
    const before = this.#attached.get(path)
    if (!this.has(kind)) throw new Error(`the ${kind} exporter is not part of this program`)
    if (before !== undefined && before.attachment.owner !== attachment.owner) throw new Error(`${path} is attached already`)
    if (before === undefined && this.#attached.size >= attachedMax) {
      throw new Error(`cannot attach an exporter of ${name}: want at most ${attachedMax} in one process`)
    }
    if (before !== undefined) void this.#close(before)
    const attached: Attached = { attachment, turns: new ScrapeTurns(), path, key: '', exporter: undefined }
    this.#attached.set(path, attached)
    this.#options.inProcess.register(this.#host, path, ({ url, timeoutMs }) =>
      this.#scrape(attached, url.searchParams, url.searchParams.get('credentials') ?? '', timeoutMs),
    )
  }

  /** Ends an exporter and its connections; without effect for one of another owner. */
  detach(kind: EmbeddedKind, name: string, owner: object): void {
    const path = this.pathOf(kind, name)
    const attached = this.#attached.get(path)
    if (attached === undefined || attached.attachment.owner !== owner) return
    this.#attached.delete(path)
    this.#options.inProcess.unregister(this.#host, path)
    void this.#close(attached)
  }

  /**
   * Answers `GET <path>` of an attached exporter; undefined when there is none. A scrape that fails is a 503 with the reason. Which
   * credentials are used is not for a stranger to say: the parameter of that name is left out.
   */
  async handle(path: string, query: URLSearchParams, timeoutMs: number): Promise<EmbeddedAnswer | undefined> {
    const attached = this.#attached.get(path)
    if (attached === undefined) return undefined
    try {
      const answer = await this.#scrape(attached, query, '', timeoutMs)
      // The exporter uses its buffer again for the next scrape.
      return { ...answer, body: Uint8Array.from(answer.body) }
    } catch (error) {
      return { status: 503, contentType: 'text/plain; charset=utf-8', body: Buffer.from(`${messageOf(error)}\n`) }
    }
  }

  async close(): Promise<void> {
    const all = [...this.#attached.values()]
    this.#attached.clear()
    for (const { path } of all) this.#options.inProcess.unregister(this.#host, path)
    await Promise.all(all.map((attached) => this.#close(attached)))
  }

  #scrape(attached: Attached, given: URLSearchParams, credentials: string, timeoutMs: number): Promise<EmbeddedAnswer> {
    const query = new URLSearchParams(given)
    query.delete('credentials')
    return attached.turns.run(timeoutMs, async (remainingMs) => {
      const exporter = await this.#open(attached, credentials)
      return exporter.scrape({ query, timeoutMs: remainingMs() })
    })
  }

  async #open(attached: Attached, credentials: string): Promise<EmbeddedExporter> {
    const { attachment } = attached
    const service = await attachment.resolve(credentials)
    if (this.#attached.get(attached.path) !== attached) throw new Error('the exporter is detached')
    const key = describeConfig(service)
    if (attached.exporter !== undefined && attached.key === key) return attached.exporter
    void this.#close(attached)
    const { kind, name, flags } = attachment
    const factory = this.#options.factories[kind]!
    attached.exporter = factory({ service, flags, log: this.#options.log.with({ exporter: kind, instance: name }) })
    attached.key = key
    return attached.exporter
  }

  async #close(attached: Attached): Promise<void> {
    const { exporter, attachment } = attached
    attached.exporter = undefined
    try {
      await exporter?.close()
    } catch (error) {
      this.#options.log.warn('cannot close an embedded exporter', { exporter: attachment.kind, instance: attachment.name, err: error })
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

import type { Logger } from '@narthex/service/logger'

/** What an embedded exporter is asked for by a scrape. */
export interface EmbeddedRequest {
  /** The query of the scrape's URL: `collect[]`, `target` and so on. */
  readonly query: URLSearchParams
  readonly timeoutMs: number
}

export interface EmbeddedAnswer {
  readonly status: number
  readonly contentType: string
  /** Not compressed. */
  readonly body: Uint8Array
}

/** An exporter that runs in this process. `scrape` never blocks others for longer than a collector's synchronous step. */
export interface EmbeddedExporter {
  scrape(request: EmbeddedRequest): Promise<EmbeddedAnswer>
  close(): Promise<void>
}

/** Where a service is found and how one gets in; secrets are never logged. */
export interface ServiceAddress {
  /** `host:port`, an IPv6 host in brackets; undefined when only the socket is there. */
  readonly address?: string
  /** Path of a unix socket, preferred over the address. */
  readonly socketPath?: string
  /** For nginx: the stub_status URI, `http://127.0.0.1:8080/stub_status`. */
  readonly uri?: string
  readonly username?: string
  readonly password?: string
}

/** Settings by the flag names of the standalone exporter, without the dashes: `{ 'collect.info_schema.tables': true }`. */
export type EmbeddedFlags = Readonly<Record<string, string | boolean | number | readonly string[]>>

export interface EmbeddedOptions {
  readonly service: ServiceAddress
  readonly flags: EmbeddedFlags
  readonly log: Logger
}

export type EmbeddedKind = 'node' | 'mysql' | 'redis' | 'nginx' | 'container' | 'pushgateway'

/** Makes exporters of one kind. Throws, with the reason in one line, for a flag that cannot be used; an unreachable service is no reason. */
export type EmbeddedExporterFactory = (options: EmbeddedOptions) => EmbeddedExporter

/** The kinds that the program was built with: the agent knows the interface, the command line wires the exporters in. */
export type EmbeddedFactories = Readonly<Partial<Record<EmbeddedKind, EmbeddedExporterFactory>>>

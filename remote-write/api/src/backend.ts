import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import type { TimeUnit } from '@narthex/model/time-unit'
import type { ParseOptions } from '@narthex/promql/parse/parse'
import type { ReadMatcher } from '@narthex/wire/remote-read-request'

/** What the API needs from the rest of the server; `remote-write/server` fits these together. */

/** An answer made elsewhere (in the query worker): the whole JSON envelope, ready to send. */
export interface EncodedAnswer {
  readonly status: number
  readonly body: Uint8Array
  /** Called when the answer was sent, or nobody waits for it any more. */
  readonly release?: () => void
}

interface QueryOptions {
  readonly query: string
  /** Ends the query with errorType timeout. */
  readonly timeoutMs: number
  readonly lookbackMs: number | undefined
  /** Series to return at most; 0 = all. */
  readonly limit: number
  /** `''` = none, `'all'` = per step too. */
  readonly stats: string
  readonly explain: Explain
}

/** `plan`: how the query would be evaluated, instead of its result. `analyze`: its result, and what each part took. */
export type Explain = '' | 'plan' | 'analyze'

export interface InstantQuery extends QueryOptions {
  readonly timeMs: number
}

export interface RangeQuery extends QueryOptions {
  readonly startMs: number
  readonly endMs: number
  readonly stepMs: number
}

export interface SeriesQuery {
  /** Selectors as given, each already parsed once without error; empty = no restriction. */
  readonly matchers: readonly string[]
  readonly startMs: number
  readonly endMs: number
  readonly limit: number
}

export interface ExemplarQuery {
  /** Has a selector, if it is no longer than what was parsed. */
  readonly query: string
  /** Both included. */
  readonly startMs: number
  readonly endMs: number
}

export type ExportColumn =
  { readonly kind: 'label'; readonly name: string } | { readonly kind: 'value' } | { readonly kind: 'time'; readonly unit: TimeUnit }

export type ExportFormat =
  /** `rowsMax`: samples in a line. */
  { readonly kind: 'json'; readonly rowsMax: number } | { readonly kind: 'csv'; readonly columns: readonly ExportColumn[] }

export interface ExportQuery {
  /** Selectors, each already parsed once without error. */
  readonly matchers: readonly string[]
  /** Both included. */
  readonly startMs: number
  readonly endMs: number
  readonly format: ExportFormat
}

/** Takes a piece of an answer; `onTaken` is to be called when there is room for another. */
export type PartSink = (bytes: Uint8Array, onTaken: () => void) => void

export interface FederationQuery {
  /** Selectors, each already parsed once without error. */
  readonly matchers: readonly string[]
  readonly timeMs: number
  readonly format: 'text' | 'protobuf'
  /** False: names are escaped to what Prometheus 2 takes. */
  readonly allowsUtf8: boolean
}

/** Who asks, for the lists and logs of queries. */
export interface QueryClient {
  readonly clientAddress: string
  readonly method: string
  /** Without parameters. */
  readonly path: string
}

export interface QueryBackend {
  instant(query: InstantQuery, signal: AbortSignal, client?: QueryClient): Promise<EncodedAnswer>
  range(query: RangeQuery, signal: AbortSignal, client?: QueryClient): Promise<EncodedAnswer>
  series(query: SeriesQuery, signal: AbortSignal, client?: QueryClient): Promise<EncodedAnswer>
  labelNames(query: SeriesQuery, signal: AbortSignal, client?: QueryClient): Promise<EncodedAnswer>
  labelValues(name: string, query: SeriesQuery, signal: AbortSignal, client?: QueryClient): Promise<EncodedAnswer>
  exemplars(query: ExemplarQuery, signal: AbortSignal, client?: QueryClient): Promise<EncodedAnswer>
  /** Raw samples as lines, piece by piece. Resolves behind the last one. */
  export(query: ExportQuery, onPart: PartSink, signal: AbortSignal, client?: QueryClient): Promise<void>
  /** An exposition in the format of the query. */
  federate(query: FederationQuery, signal: AbortSignal, client?: QueryClient): Promise<EncodedAnswer>
  /** The `data` of /api/v1/status/tsdb. */
  headStatistics(limit: number, signal: AbortSignal, client?: QueryClient): Promise<EncodedAnswer>
}

/** Queries that run, and what those before took. */
export interface QueryBook {
  /** Plain objects in the shape of the API. */
  active(): readonly Record<string, unknown>[]
  /** False if no query of this id runs or waits. */
  cancel(id: number): boolean
  top(order: TopOrder, limit: number): readonly unknown[]
}

export const topOrders = ['duration', 'average', 'count', 'samples', 'memory'] as const
export type TopOrder = (typeof topOrders)[number]

export interface RemoteReadQuery {
  /** Milliseconds, both ends included. */
  readonly startMs: number
  readonly endMs: number
  /** As asked: expressions among them may be wrong. */
  readonly matchers: readonly ReadMatcher[]
  /** False: the labels of the series are enough. */
  readonly wantsSamples: boolean
}

export interface RemoteRead {
  readonly queries: readonly RemoteReadQuery[]
  /** Frames of chunks instead of one block of samples. */
  readonly streams: boolean
  /** Added to every series that has no label of the name. */
  readonly externalLabels: Labels
}

export interface RemoteReadBackend {
  /** Requests at once; 0 = no limit. */
  readonly concurrencyMax: number
  externalLabels(): Labels
  /**
   * Hands the answer's bytes to `onPart`, piece by piece, and waits with further ones until `onTaken` was called of most. Resolves behind the last
   * one. Rejects with an ApiError of a kind as a query's.
   */
  read(request: RemoteRead, onPart: PartSink, signal: AbortSignal, client?: QueryClient): Promise<void>
  /** How many requests run or wait now. */
  onCount(count: number): void
}

export interface MetadataEntry {
  readonly type: string
  readonly help: string
  readonly unit: string
}

/** Plain objects in the JSON shapes of Prometheus; the API adds the envelope. */
export interface StateBackend {
  /** `state`: active, dropped or any. */
  targets(state: string, scrapePool: string): unknown
  scrapePools(): unknown
  /** `labels` is a JSON object. Throws an error whose text is for whoever asked. */
  relabelSteps(scrapePool: string, labels: string): unknown
  /** Throws an error whose text is for whoever asked. */
  scrapePoolConfig(scrapePool: string): unknown
  /** What is in the meta.json of each block. */
  blocks(): unknown
  targetMetadata(matchTarget: string, metric: string, limit: number): unknown
  metadata(): ReadonlyMap<string, readonly MetadataEntry[]>
  rules(filter: RuleFilter): RuleGroupsView
  alerts(): unknown
  alertmanagers(): unknown
  configYaml(): string
  flags(): Readonly<Record<string, string>>
  runtimeInformation(): Record<string, unknown>
  buildInformation(): Record<string, string>
  walReplay(): { min: number; max: number; current: number }
  features(): Record<string, Record<string, boolean>>
}

/** Groups in the order in which they are shown and paged through. */
export interface RuleGroupsView {
  readonly groups: readonly { readonly name: string; readonly file: string }[]
}

export interface RuleFilter {
  readonly type: string
  readonly names: readonly string[]
  readonly groups: readonly string[]
  readonly files: readonly string[]
  readonly excludeAlerts: boolean
  /** Sets of matchers on the rules' own labels, one of which has to match; empty = no restriction. */
  readonly matcherSets: readonly (readonly Matcher[])[]
}

/** What changes the storage; an error's text is for whoever asked. */
export interface AdminBackend {
  /** Deletes the samples in [startMs, endMs] of series that all matchers of any set take. */
  deleteSeries(matcherSets: readonly (readonly Matcher[])[], startMs: number, endMs: number): Promise<void>
  /** Takes what is deleted off the disk. */
  cleanTombstones(): Promise<void>
  /** Gives the name of the snapshot; `withHead`: with what is in memory only. */
  snapshot(withHead: boolean): Promise<string>
}

/** `/-/…`: state of the process. */
export interface LifecycleBackend {
  isReady(): boolean
  isStopping(): boolean
  /** Undefined when `--web.enable-lifecycle` is off; otherwise rejects with the reason a reload failed. */
  reload: (() => Promise<void>) | undefined
  quit: (() => void) | undefined
}

export interface ApiBackend {
  readonly query: QueryBackend
  readonly queries: QueryBook
  readonly remoteRead: RemoteReadBackend
  readonly state: StateBackend
  readonly federation: { onError(): void }
  /** The server's own metrics of the names that are wanted, a family each as prom2json shows it. */
  selfMetrics(isWanted: (name: string) => boolean): Promise<readonly unknown[]>
  /** Undefined when `--web.enable-admin-api` is off. */
  readonly admin: AdminBackend | undefined
  readonly lifecycle: LifecycleBackend
  readonly limits: { readonly timeoutMs: number }
  /** `--web.cors.origin`: a fully anchored expression. */
  readonly corsOrigin: string
  /** Told of an error that is ours, after it was answered with errorType internal. */
  reportBug(error: unknown): void
  /** `--enable-feature=exemplar-storage`: without it no exemplar is found. */
  readonly keepsExemplars: boolean
  /** Which parts of the query language are switched on. */
  readonly parse: ParseOptions
  now(): number
}

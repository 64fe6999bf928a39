import { isDeepStrictEqual } from 'node:util'
import type { HttpClient } from '@narthex/http/client'
import type { Logger } from '@narthex/service/logger'
import type { Clock } from '../../clock.ts'
import { streamApi } from './api-client.ts'
import { ApiFormatError, ApiStatusError } from './api-error.ts'
import type { Kind, KindName } from './kinds.ts'
import type { KubernetesMetrics } from './kubernetes-metrics.ts'
import { ListReader, type ListHead } from './list-reader.ts'
import { objectKey, type ObjectMeta } from './objects.ts'
import { field, textField } from '../json-fields.ts'
import { RetryDelay } from './retry-delay.ts'
import { WatchReader, type WatchEvent } from './watch-reader.ts'

/** Objects of one list; Kubernetes itself stops at some 150,000 pods. */
export const objectsMax = 1_000_000
const pageLimit = 500
const listTimeoutMs = 300_000
/** A watch is asked to end itself after 5 to 10 minutes, so that clients spread over the API servers again. */
const watchSecondsMin = 300
const watchSlackMs = 30_000
const retryMsMin = 800
const retryMsMax = 30_000
/** After this many failed watches in a row the version they ask for is doubted, and a new list made. */
export const watchFailuresMax = 5
/** A watch that ends sooner without an event was no good one. */
const goodWatchMs = 1000
/** The same trouble is told again after this long. */
const repeatLogMs = 600_000

export interface WatchListOptions<Value> {
  readonly client: HttpClient
  /** The collection's URL, and how its requests are called in metrics. */
  readonly url: string
  readonly endpoint: string
  readonly kindName: KindName
  readonly kind: Kind<Value>
  readonly labelSelector: string
  readonly fieldSelector: string
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: KubernetesMetrics
  readonly random?: () => number
}

export interface WatchListener {
  /** The object is new, different or gone. */
  onChange(key: string): void
  /** The first list is complete. */
  onSynced(): void
}

/**
 * All objects that one request can list, kept current: list, then watch from the list's version. A broken watch resumes where it was; when
 * the server has forgotten that version the list is made anew, and what it does not have any more is gone. Trouble is retried for ever.
 */
export class WatchList<Value extends { readonly meta: ObjectMeta }> {
  readonly #options: WatchListOptions<Value>
  readonly #abort = new AbortController()
  readonly #listeners = new Set<WatchListener>()
  readonly #delay: RetryDelay
  readonly #random: () => number
  #objects = new Map<string, Value>()
  #isSynced = false
  #trouble = ''
  #troubleMs = -Infinity

  constructor(options: WatchListOptions<Value>) {
    this.#options = options
    this.#random = options.random ?? Math.random
    this.#delay = new RetryDelay(retryMsMin, retryMsMax, this.#random)
  }

  get isSynced(): boolean {
    return this.#isSynced
  }

  start(): void {
    void this.#run()
  }

  stop(): void {
    this.#abort.abort(new Error('watch stopped'))
  }

  get(key: string): Value | undefined {
    return this.#objects.get(key)
  }

  keys(): Iterable<string> {
    return this.#objects.keys()
  }

  /** The returned function takes the listener off. */
  subscribe(listener: WatchListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort
    // Version 0 is answered from the server's cache, which knows pods by node; a list without a version reads its whole store.
    let listFrom = '0'
    let version: string | undefined
    let failures = 0
    while (!signal.aborted) {
      try {
        if (version === undefined) {
          version = await this.#list(listFrom)
          this.#tellRecovery()
        }
        const watched = await this.#watch(version)
        version = watched.version
        if (watched.isGood) {
          failures = 0
          this.#delay.reset()
        }
        if (watched.failure === undefined) {
          if (!watched.isGood) await this.#sleep(this.#delay.next())
          continue
        }
        failures = watched.isGood ? 0 : failures + 1
        if (needsList(watched.failure) || failures >= watchFailuresMax) {
          // A cache may lag behind the version that the server has just disowned; one that was only unreachable may answer from it.
          listFrom = needsList(watched.failure) ? '' : version
          version = undefined
          failures = 0
        }
        await this.#fail('watch', watched.failure)
      } catch (error) {
        if (listFrom !== '0' && error instanceof ApiStatusError) listFrom = ''
        await this.#fail('list', error)
      }
    }
  }

  async #fail(verb: string, error: unknown): Promise<void> {
    if (this.#abort.signal.aborted) return
    const { metrics, clock, log, kind } = this.#options
    metrics.failures.inc()
    // Long watches break and expire all the time; only what does not pass by itself is worth a line.
    const isUsual = verb === 'watch' && !(error instanceof ApiStatusError && !error.isExpired) && !(error instanceof ApiFormatError)
    const text = `${verb}: ${error instanceof Error ? error.message : String(error)}`
    const isNew = text !== this.#trouble || clock.now() - this.#troubleMs >= repeatLogMs
    if (isUsual) log.debug(`watch of ${kind.plural} ended`, { err: error })
    else if (isNew) {
      this.#trouble = text
      this.#troubleMs = clock.now()
      log.error(`cannot ${verb} ${kind.plural}`, { err: error, url: this.#options.url })
    }
    await this.#sleep(this.#delay.next(error instanceof ApiStatusError ? error.retryAfterMs : undefined))
  }

  #tellRecovery(): void {
    if (this.#trouble === '') return
    this.#trouble = ''
    this.#options.log.info(`lists ${this.#options.kind.plural} again`)
  }

  #sleep(ms: number): Promise<void> {
    const { clock } = this.#options
    const { signal } = this.#abort
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const wake = (): void => {
        clock.clearTimer(timer)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const timer = clock.setTimer(wake, ms)
      signal.addEventListener('abort', wake)
    })
  }

  /** Reads all pages, then takes their objects over at once; gives the list's version. */
  async #list(from: string): Promise<string> {
    const found = new Map<string, Value>()
    const isPlain = from === '' || from === '0'
    const query = { resourceVersion: from, resourceVersionMatch: isPlain ? '' : 'NotOlderThan' }
    let head = await this.#listPage({ ...query, limit: String(pageLimit) }, found)
    while (head.continueToken !== '') {
      try {
        head = await this.#listPage({ limit: String(pageLimit), continue: head.continueToken }, found)
      } catch (error) {
        if (!(error instanceof ApiStatusError && error.isExpired)) throw error
        // The pages took longer than the server keeps their version: all at once then.
        found.clear()
        head = await this.#listPage({}, found)
      }
    }
    this.#replaceAll(found)
    return head.resourceVersion
  }

  async #listPage(query: Readonly<Record<string, string>>, found: Map<string, Value>): Promise<ListHead> {
    const { client, kind, metrics } = this.#options
    const reader = new ListReader((item) => {
      const object = this.#read(item)
      if (object === undefined) return
      if (found.size >= objectsMax) throw new ApiFormatError(`cannot read list: want at most ${objectsMax} objects`)
      found.set(objectKey(object.meta), object)
    })
    await streamApi(
      client,
      {
        url: this.#urlOf(query),
        endpoint: this.#options.endpoint,
        accept: acceptOf(kind, 'PartialObjectMetadataList'),
        timeoutMs: listTimeoutMs,
        signal: this.#abort.signal,
        onData: (chunk) => reader.write(chunk),
      },
      metrics,
    )
    return reader.end()
  }

  /** What labels need of the object, or the known object if that is the same; undefined for one without a name. */
  #read(item: unknown): Value | undefined {
    const object = this.#options.kind.read(item)
    if (object.meta.name === '') return undefined
    const known = this.#objects.get(objectKey(object.meta))
    return known !== undefined && isDeepStrictEqual(known, object) ? known : object
  }

  #replaceAll(found: Map<string, Value>): void {
    const before = this.#objects
    this.#objects = found
    for (const [key, object] of found) {
      const known = before.get(key)
      this.#count(known === undefined ? 'add' : 'update')
      if (known !== object) this.#tellChange(key)
    }
    for (const key of before.keys()) {
      if (found.has(key)) continue
      this.#count('delete')
      this.#tellChange(key)
    }
    if (this.#isSynced) return
    this.#isSynced = true
    for (const listener of this.#listeners) listener.onSynced()
  }

  /** Follows changes until the stream ends; gives the last version seen, and why it ended if not by the server's wish. */
  async #watch(from: string): Promise<{ version: string; isGood: boolean; failure: unknown }> {
    const { client, kind, clock, metrics } = this.#options
    const seconds = Math.round(watchSecondsMin * (1 + this.#random()))
    const started = clock.elapsed()
    let version = from
    let isGood = false
    let failure: unknown
    let isAccepted = false
    const reader = new WatchReader((event) => {
      isGood = true
      version = this.#take(event) || version
    })
    try {
      await streamApi(
        client,
        {
          url: this.#urlOf({ watch: 'true', allowWatchBookmarks: 'true', resourceVersion: from, timeoutSeconds: String(seconds) }),
          endpoint: this.#options.endpoint,
          accept: acceptOf(kind, 'PartialObjectMetadata'),
          timeoutMs: seconds * 1000 + watchSlackMs,
          signal: this.#abort.signal,
          onAccepted: () => {
            isAccepted = true
            this.#tellRecovery()
          },
          onData: (chunk) => reader.write(chunk),
        },
        metrics,
      )
    } catch (error) {
      failure = error
    }
    // A quiet watch that something on the way cut after a while was a good one too.
    isGood ||= isAccepted && clock.elapsed() - started >= goodWatchMs
    return { version, isGood, failure }
  }

  /** The event's version; empty when it has none. */
  #take({ type, object: item }: WatchEvent): string {
    const version = textField(field(item, 'metadata'), 'resourceVersion')
    if (type === 'BOOKMARK') return version
    const object = this.#read(item)
    if (object === undefined) return version
    const key = objectKey(object.meta)
    const known = this.#objects.get(key)
    if (type === 'DELETED') {
      this.#count('delete')
      if (this.#objects.delete(key)) this.#tellChange(key)
      return version
    }
    if (known === undefined && this.#objects.size >= objectsMax) {
      throw new ApiFormatError(`cannot read watch: want at most ${objectsMax} objects`)
    }
    this.#count(type === 'ADDED' ? 'add' : 'update')
    if (known === object) return version
    this.#objects.set(key, object)
    this.#tellChange(key)
    return version
  }

  #count(event: string): void {
    this.#options.metrics.events.inc(1, this.#options.kindName, event)
  }

  #tellChange(key: string): void {
    for (const listener of this.#listeners) listener.onChange(key)
  }

  #urlOf(query: Readonly<Record<string, string>>): string {
    const { url, labelSelector, fieldSelector } = this.#options
    const all = Object.entries({ ...query, labelSelector, fieldSelector })
    const search = new URLSearchParams(all.filter(([, value]) => value !== ''))
    return `${url}?${search.toString()}`
  }
}

/** True for answers that say something is wrong with the version or the stream; being refused or unheard is no reason to list anew. */
function needsList(failure: unknown): boolean {
  if (failure instanceof ApiFormatError) return true
  if (!(failure instanceof ApiStatusError)) return false
  return failure.status !== 401 && failure.status !== 403 && failure.status !== 429 && failure.status < 500
}

function acceptOf(kind: Kind<unknown>, shape: string): string {
  return kind.isMetadataOnly ? `application/json;as=${shape};g=meta.k8s.io;v=v1,application/json` : 'application/json'
}

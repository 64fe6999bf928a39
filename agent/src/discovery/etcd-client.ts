import type { EtcdDiscovery } from '@narthex/config/etcd-discovery'
import { createHttpClient, type HttpClient } from '@narthex/http/client'
import { BodyTooLargeError } from '@narthex/http/client-errors'
import { WatchedFile } from '@narthex/http/watched-file'
import { EtcdError, readError, readEntry, readRevision, type EtcdEntry } from './etcd-answers.ts'
import { isRecord, listField, parseJson, recordField, textField, type JsonRecord } from './json-fields.ts'
import { LineSplitter } from './line-splitter.ts'

// etcd's v3 API as its JSON gateway speaks it: bytes are base64, 64-bit numbers are text, what is zero or empty is left out.

/** Most bytes of one page of keys and of one message of a watch. */
export const etcdAnswerBytesMax = 16 * 2 ** 20

const requestTimeoutMs = 30_000
/** Keys per page; fewer when their values make a page too long. */
const pageKeysMax = 1_000
/** A watch lasts as long as its caller wants: Node.js' timers take no more. */
const watchTimeoutMs = 0x7fffffff
const unauthenticated = 16
const errorChunksMax = 4

export interface EtcdChange {
  readonly entry: EtcdEntry
  readonly isDelete: boolean
}

/** What a watch reports. */
export interface EtcdWatchEvents {
  /** The server has taken the watch. */
  onCreated(): void
  /** Changes in their order; `nextRevision` is where a watch that takes over from here begins. */
  onChanges(changes: readonly EtcdChange[], nextRevision: bigint): void
}

export class EtcdClient {
  readonly #config: EtcdDiscovery
  readonly #http: HttpClient
  readonly #passwordFile: WatchedFile | undefined
  readonly #range: { readonly key: string; readonly range_end: string }
  #token = ''

  constructor(config: EtcdDiscovery, userAgent: string) {
    this.#config = config
    this.#http = createHttpClient(config.http, { userAgent, timeoutMs: requestTimeoutMs, bodyBytesMax: etcdAnswerBytesMax })
    this.#passwordFile = config.passwordFile === undefined ? undefined : new WatchedFile(config.passwordFile)
    const prefix = Buffer.from(config.prefix, 'utf8')
    this.#range = { key: prefix.toString('base64'), range_end: endOfPrefix(prefix).toString('base64') }
  }

  /** All keys under the prefix at one revision, a page at a time; gives that revision. */
  async readAll(endpoint: string, take: (entries: readonly EtcdEntry[]) => void, signal: AbortSignal): Promise<bigint> {
    let revision: bigint | undefined
    let key = this.#range.key
    let limit = pageKeysMax
    for (;;) {
      const page = {
        key,
        range_end: this.#range.range_end,
        limit: String(limit),
        ...(revision === undefined ? {} : { revision: String(revision) }),
      }
      let answer: JsonRecord
      try {
        answer = await this.#call(endpoint, '/v3/kv/range', page, signal)
      } catch (error) {
        if (!(error instanceof BodyTooLargeError) || limit === 1) throw error
        limit = Math.ceil(limit / 4)
        continue
      }
      revision ??= readRevision(recordField(answer, 'header')['revision'])
      const entries = listField(answer, 'kvs').map(readEntry)
      take(entries)
      const last = entries.at(-1)
      if (answer['more'] !== true || last === undefined) return revision
      // The smallest key behind the last one.
      key = Buffer.concat([last.key, Buffer.from([0])]).toString('base64')
    }
  }

  /**
   * Watches the prefix from a revision on; ends when the server ends it. Throws an `EtcdError` with `isCompacted` when the server has
   * forgotten that revision.
   */
  async watch(endpoint: string, startRevision: bigint, events: EtcdWatchEvents, signal: AbortSignal): Promise<void> {
    const request = { create_request: { ...this.#range, start_revision: String(startRevision), progress_notify: true, fragment: true } }
    const splitter = new LineSplitter(etcdAnswerBytesMax, (line) => takeWatchMessage(parseJson(line, 'message of a watch'), events))
    let status = 0
    let refusal: unknown
    const failure: Uint8Array[] = []
    const running = this.#http.requestStream(
      {
        url: urlOf(endpoint, '/v3/watch'),
        method: 'POST',
        headers: await this.#headers(endpoint, signal),
        body: JSON.stringify(request),
        timeoutMs: watchTimeoutMs,
        bodyBytesMax: Infinity,
        signal,
      },
      {
        onHead: (head) => void (status = head.status),
        onData(chunk) {
          if (status !== 200) return void (failure.length < errorChunksMax && failure.push(chunk))
          try {
            splitter.push(chunk)
          } catch (error) {
            refusal = error
            throw error
          }
        },
      },
    )
    // The HTTP client words what its sink throws as a failed request.
    await running.catch((error: unknown) => {
      throw refusal ?? error
    })
    if (status !== 200) throw readError(status, Buffer.concat(failure))
  }

  /** Asks for a new token with the next request. */
  forgetToken(): void {
    this.#token = ''
  }

  close(): Promise<void> {
    return this.#http.close()
  }

  /** A token may have run out: one more try with a new one. */
  async #call(endpoint: string, path: string, body: unknown, signal: AbortSignal): Promise<JsonRecord> {
    try {
      return await this.#post(endpoint, path, body, await this.#headers(endpoint, signal), signal)
    } catch (error) {
      if (!(error instanceof EtcdError) || error.code !== unauthenticated || this.#token === '') throw error
      this.#token = ''
      return this.#post(endpoint, path, body, await this.#headers(endpoint, signal), signal)
    }
  }

  async #post(endpoint: string, path: string, body: unknown, headers: Record<string, string>, signal: AbortSignal): Promise<JsonRecord> {
    const url = urlOf(endpoint, path)
    const answer = await this.#http.request({ url, method: 'POST', headers, body: JSON.stringify(body), signal })
    if (answer.status !== 200) throw readError(answer.status, answer.body)
    const content = parseJson(answer.body, `answer of ${path}`)
    if (!isRecord(content)) throw new Error(`cannot read answer of ${path}: want an object, got ${typeof content}`)
    return content
  }

  async #headers(endpoint: string, signal: AbortSignal): Promise<Record<string, string>> {
    const plain = { 'content-type': 'application/json' }
    const { username, password } = this.#config
    if (username === '') return plain
    if (this.#token === '') {
      const credentials = { name: username, password: (await this.#passwordFile?.readText()) ?? password?.reveal() ?? '' }
      this.#token = textField(await this.#post(endpoint, '/v3/auth/authenticate', credentials, plain, signal), 'token')
      if (this.#token === '') throw new Error('cannot authenticate: the answer has no token')
    }
    return { ...plain, authorization: this.#token }
  }
}

function urlOf(endpoint: string, path: string): string {
  return endpoint.replace(/\/+$/, '') + path
}

/** The first key behind all that begin with the prefix; a single zero byte means the end of all keys. */
function endOfPrefix(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix)
  for (let i = end.length - 1; i >= 0; i--) {
    if (end[i] === 0xff) continue
    end[i]!++
    return end.subarray(0, i + 1)
  }
  return Buffer.from([0])
}

/** Reports what one message of a watch says. Throws `EtcdError` when the server ends the watch, Error for anything that is no message. */
export function takeWatchMessage(message: unknown, events: EtcdWatchEvents): void {
  if (!isRecord(message)) throw new Error(`cannot read message of a watch: want an object, got ${typeof message}`)
  if (isRecord(message['error'])) throw new EtcdError(textField(message['error'], 'message'))
  const result = recordField(message, 'result')
  if (result['canceled'] === true) {
    const compacted = readRevision(result['compact_revision'])
    throw new EtcdError(textField(result, 'cancel_reason') || 'watch canceled', { isCompacted: compacted > 0n })
  }
  if (result['created'] === true) return events.onCreated()
  const changes = listField(result, 'events').map(readChange)
  const last = changes.at(-1)
  // The header may be ahead of the events of a watch that is catching up; without events it tells how far all is known.
  if (last === undefined) return events.onChanges([], readRevision(recordField(result, 'header')['revision']) + 1n)
  // The rest of a split revision would be missed.
  const isPart = result['fragment'] === true
  events.onChanges(changes, last.entry.modRevision + (isPart ? 0n : 1n))
}

function readChange(event: unknown): EtcdChange {
  if (!isRecord(event)) throw new Error(`cannot read event of a watch: want an object, got ${typeof event}`)
  return { entry: readEntry(event['kv']), isDelete: event['type'] === 'DELETE' }
}

import { defaultHttpClientConfig, type HttpClientConfig } from '@narthex/config/http-client-config'
import { createHttpClient, type HttpClient } from '@narthex/http/client'
import type { Logger } from '@narthex/service/logger'
import { existsSync } from 'node:fs'
import type { ContainerRow } from './container-row.ts'
import { isRecord, parseRecord, recordField, textField } from './engines/json-fields.ts'
import type { PodPlace } from './pod-places.ts'

/** Kubelets run some hundred pods. */
export const podsMax = 2_000
const answerBytesMax = 64 * 2 ** 20
const requestTimeoutMs = 2_000
/** The list is asked for again when there is a container that it does not have, but not more often than this. */
const askAgainMs = 10_000
const refreshMs = 300_000
const failureRestMs = 30_000

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The pods of this node by its kubelet (`GET /pods`): what containers are called when no engine can be asked. */
export class KubeletPods {
  readonly #client: HttpClient
  readonly #url: string
  readonly #log: Logger
  readonly #monotonicMs: () => number
  #byContainer = new Map<string, PodPlace>()
  #byUid = new Map<string, PodPlace>()
  /** Ids and uids that the list did not have: sandboxes are in no list, and are no reason to ask again. */
  #absent: ReadonlySet<string> = new Set()
  #askedMs = -Infinity
  #restUntilMs = -Infinity
  #failure = ''

  /** `endpoint` is `https://NODE:10250` or, with the read-only port, `http://NODE:10255`. Throws one clear line for another. */
  constructor(endpoint: string, log: Logger, monotonicMs: () => number, account = serviceAccount) {
    if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint)) {
      throw new Error(`cannot use flag --kubelet_endpoint ${endpoint}: want https://host:10250 or http://host:10255`)
    }
    this.#url = `${endpoint.replace(/\/+$/, '')}/pods`
    this.#log = log
    this.#monotonicMs = monotonicMs
    this.#client = createHttpClient(endpoint.startsWith('https:') ? readAccount(account) : defaultHttpClientConfig, {
      timeoutMs: requestTimeoutMs,
      bodyBytesMax: answerBytesMax,
    })
  }

  findContainer(id: string): PodPlace | undefined {
    return this.#byContainer.get(id)
  }

  findPod(uid: string): PodPlace | undefined {
    return this.#byUid.get(uid)
  }

  /** Asks if there is something new to know. Never rejects. */
  async update(rows: readonly ContainerRow[], timeoutMs: number): Promise<void> {
    const nowMs = this.#monotonicMs()
    if (nowMs < this.#restUntilMs || timeoutMs <= 0) return
    const ageMs = nowMs - this.#askedMs
    const isDue = ageMs >= refreshMs || (ageMs >= askAgainMs && rows.some((row) => this.#hasNew(row)))
    if (!isDue) return
    try {
      const { status, body } = await this.#client.request({ url: this.#url, timeoutMs: Math.min(timeoutMs, requestTimeoutMs) })
      if (status !== 200) throw new Error(`want status 200, got ${status} ${Buffer.from(body).toString('utf8').slice(0, 200).trim()}`)
      this.#read(body)
      this.#askedMs = nowMs
      this.#absent = new Set(rows.flatMap((row) => this.#findUnknown(row) ?? []))
      if (this.#failure !== '') this.#log.info('kubelet answers again', { url: this.#url })
      this.#failure = ''
    } catch (error) {
      this.#restUntilMs = nowMs + failureRestMs
      const reason = error instanceof Error ? error.message : String(error)
      if (reason !== this.#failure) this.#log.warn('cannot ask kubelet for its pods', { url: this.#url, err: reason })
      this.#failure = reason
    }
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  #hasNew(row: ContainerRow): boolean {
    const unknown = this.#findUnknown(row)
    return unknown !== undefined && !this.#absent.has(unknown)
  }

  /** The container's id or the pod's uid if the list does not have it. */
  #findUnknown({ container, podUid }: ContainerRow): string | undefined {
    if (container !== undefined) return container.isInPod && !this.#byContainer.has(container.id) ? container.id : undefined
    return podUid !== undefined && !this.#byUid.has(podUid) ? podUid : undefined
  }

  #read(body: Uint8Array): void {
    const { items } = parseRecord(body, 'list of pods')
    if (!Array.isArray(items)) throw new Error('cannot read list of pods: want a list in items, got none')
    if (items.length > podsMax) throw new Error(`cannot read list of pods: want at most ${podsMax} pods, got ${items.length}`)
    const byContainer = new Map<string, PodPlace>()
    const byUid = new Map<string, PodPlace>()
    for (const item of items) {
      if (!isRecord(item)) continue
      const metadata = recordField(item, 'metadata')
      const place = { container: '', namespace: textField(metadata, 'namespace'), pod: textField(metadata, 'name') }
      byUid.set(textField(metadata, 'uid'), place)
      // Pods from files: the kubelet makes the uid of a mirror pod anew, the cgroup has the hash of the file.
      const hash = textField(recordField(metadata, 'annotations'), 'kubernetes.io/config.hash')
      if (hash !== '') byUid.set(hash, place)
      for (const status of listStatuses(recordField(item, 'status'))) {
        const id = textField(status, 'containerID').replace(/^[a-z-]+:\/\//, '')
        if (id !== '') byContainer.set(id, { ...place, container: textField(status, 'name') })
      }
    }
    this.#byContainer = byContainer
    this.#byUid = byUid
  }
}

function listStatuses(status: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>[] {
  return ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'].flatMap((name) => {
    const list = status[name]
    return Array.isArray(list) ? list.filter(isRecord) : []
  })
}

/** The credentials that Kubernetes puts into a pod; read again when they change. */
function readAccount(account: string): HttpClientConfig {
  if (!existsSync(`${account}/token`)) return defaultHttpClientConfig
  return {
    ...defaultHttpClientConfig,
    authorization: { type: 'Bearer', credentialsFile: `${account}/token` },
    tls: { caFile: `${account}/ca.crt`, insecureSkipVerify: false },
  }
}

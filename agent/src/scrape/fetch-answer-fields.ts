import { formatFields } from '@narthex/http/direct-client/direct-client'
import { ownAddresses } from '../http/own-addresses.ts'
import type { OwnAddresses } from '../http/own-addresses.ts'

/** The header fields of a request, as both clients take them. */
export interface RequestFields {
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

/**
 * Whether answers are asked for compressed. `auto`: unless the target is on this machine, where compressing costs both sides more than sending
 * what it saves.
 */
export type Compression = 'auto' | 'on' | 'off'

/**
 * gzip first: it is what Prometheus asks for and what every target has, so nothing changes for targets that serve Prometheus. Targets that have
 * zstd only may use it.
 */
const acceptEncoding = 'gzip, zstd;q=0.9'
const sharedFieldsMax = 64

// All targets of a job send the same, so they share it. The oldest goes when there are more: its targets keep it.
const shared = new Map<string, RequestFields>()

/** Throws TypeError for a header that would not be one line. */
export function shareFields(headers: Readonly<Record<string, string>>): RequestFields {
  const text = formatFields(headers)
  const known = shared.get(text)
  if (known !== undefined) return known
  const fields = { headers, text }
  if (shared.size >= sharedFieldsMax) shared.delete(shared.keys().next().value!)
  shared.set(text, fields)
  return fields
}

/** Chooses the fields of each request to one target. */
export class FieldsChoice {
  readonly #hostname: string
  readonly #compressed: RequestFields
  /** For this machine; undefined: all requests are alike. */
  readonly #plain: RequestFields | undefined
  readonly #own: OwnAddresses
  #version = -1
  #isOwn = false

  /** `hostname`, of a URL, is what a connection is made to; undefined when that is not known. */
  constructor(
    headers: Readonly<Record<string, string>>,
    compression: Compression,
    hostname: string | undefined,
    own: OwnAddresses = ownAddresses,
  ) {
    const plain = { ...headers, 'accept-encoding': 'identity' }
    const isOpen = compression === 'auto' && hostname !== undefined
    this.#hostname = hostname ?? ''
    this.#plain = isOpen ? shareFields(plain) : undefined
    this.#compressed = shareFields(compression === 'off' ? plain : { ...headers, 'accept-encoding': acceptEncoding })
    this.#own = own
  }

  choose(): RequestFields {
    if (this.#plain === undefined) return this.#compressed
    const { version } = this.#own
    if (version !== this.#version) {
      this.#version = version
      this.#isOwn = this.#own.has(this.#hostname)
    }
    return this.#isOwn ? this.#plain : this.#compressed
  }
}

import { errorText, shortenError } from './error-text.ts'
import { isRecord, parseJson, textField } from './json-fields.ts'

/** etcd's own refusal, in its words. */
export class EtcdError extends Error {
  override name = 'EtcdError'
  /** gRPC's number of the kind of error; 0 when it did not say. */
  readonly code: number
  /** The revision that was asked for is no longer kept. */
  readonly isCompacted: boolean

  constructor(message: string, details: { readonly code?: number; readonly isCompacted?: boolean } = {}) {
    super(message)
    this.code = details.code ?? 0
    this.isCompacted = details.isCompacted ?? false
  }
}

export interface EtcdEntry {
  readonly key: Uint8Array
  /** Empty for a deleted key. */
  readonly value: Uint8Array
  readonly modRevision: bigint
}

/** One key with its value; throws when it is none. */
export function readEntry(kv: unknown): EtcdEntry {
  if (!isRecord(kv) || typeof kv['key'] !== 'string') throw new Error('cannot read a key of etcd: want an object with a key')
  return {
    key: Buffer.from(kv['key'], 'base64'),
    value: Buffer.from(textField(kv, 'value'), 'base64'),
    modRevision: readRevision(kv['mod_revision']),
  }
}

/** A 64-bit number as text or number; absent is 0. Throws when it is neither. */
export function readRevision(value: unknown): bigint {
  if (value === undefined || value === null) return 0n
  if (typeof value === 'string' && /^\d{1,19}$/.test(value)) return BigInt(value)
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value)
  throw new Error(`cannot read a revision: want a number, got ${shortenError(JSON.stringify(value))}`)
}

/** The error in an answer that is no success. */
export function readError(status: number, body: Uint8Array): EtcdError {
  const parsed = tryJson(body)
  // A stream wraps what a single answer says at once.
  const inner = isRecord(parsed) && isRecord(parsed['error']) ? parsed['error'] : parsed
  if (!isRecord(inner)) {
    return new EtcdError(`server returned HTTP status ${status} ${errorText(body)}`.trimEnd())
  }
  const message = shortenError(textField(inner, 'message') || textField(inner, 'error'))
  const code = inner['code'] ?? inner['grpc_code']
  return new EtcdError(message === '' ? `server returned HTTP status ${status}` : message, {
    code: typeof code === 'number' ? code : 0,
    isCompacted: message.includes('required revision has been compacted'),
  })
}

function tryJson(body: Uint8Array): unknown {
  try {
    return parseJson(body, 'error')
  } catch {
    return undefined
  }
}

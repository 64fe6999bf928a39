import type { RemoteWriteConfig } from '@narthex/config/remote-config'
import { Secret } from '@narthex/config/secret'
import { compileRegex } from '@narthex/model/regex'

// A configuration on its way to another thread: secrets are objects that hide what they hold, and patterns are code.

const secretKey = '\u0000secret'
const numberKey = '\u0000number'

/** The remotes as text with all secrets in it: for the thread that sends, never to show. */
export function packRemotes(remotes: readonly RemoteWriteConfig[]): string {
  return JSON.stringify(remotes, function (this: Record<string, unknown>, key, value: unknown) {
    // A rule's pattern is compiled again; a label may be called so, too.
    if (key === 'regex' && 'regexText' in this) return undefined
    // Secrets have become their disguise already; the holder has them still.
    const held = this[key]
    if (held instanceof Secret) return { [secretKey]: held.reveal() }
    return typeof value === 'number' && !Number.isFinite(value) ? { [numberKey]: String(value) } : value
  })
}

/** What `packRemotes` packed. */
export function unpackRemotes(text: string): RemoteWriteConfig[] {
  const unpacked: unknown = JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value
    const record = value as Readonly<Record<string, unknown>>
    if (typeof record[secretKey] === 'string') return new Secret(record[secretKey])
    if (typeof record[numberKey] === 'string') return Number(record[numberKey])
    if (typeof record['regexText'] === 'string' && 'replacement' in record) return { ...record, regex: compileRegex(record['regexText']) }
    return value
  })
  return unpacked as RemoteWriteConfig[]
}

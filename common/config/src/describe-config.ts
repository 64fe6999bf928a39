import { Secret } from './secret.ts'

/**
 * A text that changes when a part of the configuration does, secrets included: to compare, never to show. `except` names keys of the
 * configuration itself that are left out. Compiled patterns are left out too: their text stands beside them.
 */
export function describeConfig(config: unknown, except: ReadonlySet<string> = new Set()): string {
  return JSON.stringify(config, function (this: Record<string, unknown>, key, value: unknown) {
    if (this === config && except.has(key)) return undefined
    // A label or a parameter may be called so, too.
    if (key === 'regex' && 'regexText' in this) return undefined
    // JSON.stringify has asked the secret for its disguise already; the holder still has the secret itself.
    const held = this[key]
    return held instanceof Secret ? held.reveal() : value
  })
}

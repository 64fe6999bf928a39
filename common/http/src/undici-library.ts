import { createRequire } from 'node:module'
import type * as Undici from 'undici'

let library: typeof Undici | undefined

/** The HTTP library, loaded with the first request that needs it: 12 MB, which an agent that asks plain HTTP only does not take. */
export function loadUndici(): typeof Undici {
  // A bundler sees the plain call and puts the library in; from the sources there is no `require`, and one is made.
  library ??=
    typeof require === 'function' ? (require('undici') as typeof Undici) : (createRequire(import.meta.url)('undici') as typeof Undici)
  return library
}

import { createRequire } from 'node:module'
import type * as Re2 from 're2js'

let library: typeof Re2 | undefined

/** The regular expressions of RE2, loaded with the first pattern that needs an automaton: 5 MB and 20 ms, which a program with simple patterns does not take. */
export function loadRe2(): typeof Re2 {
  // A bundler sees the plain call and puts the library in; from the sources there is no `require`, and one is made.
  library ??= typeof require === 'function' ? (require('re2js') as typeof Re2) : (createRequire(import.meta.url)('re2js') as typeof Re2)
  return library
}

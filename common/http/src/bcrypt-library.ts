import type Bcrypt from 'bcryptjs'
import { createRequire } from 'node:module'

let library: typeof Bcrypt | undefined

/** The library that compares passwords, loaded with the first one: 2 MB. */
export function loadBcrypt(): typeof Bcrypt {
  // A bundler sees the plain call and puts the library in; from the sources there is no `require`, and one is made.
  library ??=
    typeof require === 'function' ? (require('bcryptjs') as typeof Bcrypt) : (createRequire(import.meta.url)('bcryptjs') as typeof Bcrypt)
  return library
}

import type * as Driver from 'mysql2'
import { createRequire } from 'node:module'

let driver: typeof Driver | undefined

/**
 * The MySQL client library, loaded when the first connection is opened: it takes 60 ms and 10 MB, which a program that only might meet a
 * MySQL server should not pay at its start.
 */
export function loadDriver(): typeof Driver {
  // A bundler sees the plain call and puts the library in; from the sources there is no `require`, and one is made.
  driver ??=
    typeof require === 'function' ? (require('mysql2') as typeof Driver) : (createRequire(import.meta.url)('mysql2') as typeof Driver)
  return driver
}

import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { resolveHost } from './host-lookup.ts'

/**
 * A lookup for `round_robin_dns`: each new connection resolves the name again and goes to one of its addresses by chance, so that many
 * connections spread over all of them.
 */
export function createRandomLookup(
  resolve: (hostname: string, family: number) => Promise<readonly LookupAddress[]> = resolveHost,
  random: () => number = Math.random,
): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, typeof options.family === 'number' ? options.family : 0).then(
      (addresses) => {
        const chosen = addresses[Math.floor(random() * addresses.length)]!
        if (options.all === true) callback(null, [chosen])
        else callback(null, chosen.address, chosen.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    )
  }
}

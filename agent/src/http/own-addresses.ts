import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'

const freshMs = 60_000

/** Addresses of this machine's own interfaces, as `URL.hostname` has them but without brackets, mapped IPv4 as IPv4. */
export type ReadInterfaces = () => Iterable<string>

/** Knows which addresses lead to this machine. Interfaces are read again when they are asked for and a minute has passed. */
export class OwnAddresses {
  readonly #readInterfaces: ReadInterfaces
  readonly #now: () => number
  #addresses: ReadonlySet<string> = new Set()
  #readMs = -Infinity
  #version = 0

  constructor(readInterfaces: ReadInterfaces = readSystem, now: () => number = () => performance.now()) {
    this.#readInterfaces = readInterfaces
    this.#now = now
  }

  /** Another number when `has` may say something else than before. */
  get version(): number {
    const now = this.#now()
    if (now - this.#readMs < freshMs) return this.#version
    this.#readMs = now
    const addresses = new Set<string>()
    for (const address of this.#readInterfaces()) addresses.add(normalize(address))
    if (addresses.size !== this.#addresses.size || [...addresses].some((address) => !this.#addresses.has(address))) {
      this.#addresses = addresses
      this.#version++
    }
    return this.#version
  }

  /**
   * Whether a connection to this host of a URL stays on this machine. Decided by the text: of other names than `localhost` the address is not
   * known before they are resolved.
   */
  has(hostname: string): boolean {
    const address = normalize(hostname)
    if (isIPv4(address)) return address.startsWith('127.') || address === '0.0.0.0' || this.#hasInterface(address)
    if (address.includes(':')) return address === '::1' || address === '::' || this.#hasInterface(address)
    const name = address.toLowerCase().replace(/\.$/, '')
    return name === 'localhost' || name.endsWith('.localhost')
  }

  #hasInterface(address: string): boolean {
    return this.version >= 0 && this.#addresses.has(address)
  }
}

export const ownAddresses = new OwnAddresses()

function readSystem(): Iterable<string> {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address))
}

/** One text for one address: an IPv6 address can be written in many ways, and one that stands for IPv4 is that. */
function normalize(hostname: string): string {
  const bare = hostname.replace(/^\[|\]$|%.*$/g, '')
  if (!bare.includes(':')) return bare
  const url = `http://[${bare}]`
  if (!URL.canParse(url)) return bare
  const address = new URL(url).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address)
  if (mapped === null) return address
  const [high, low] = [parseInt(mapped[1]!, 16), parseInt(mapped[2]!, 16)]
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

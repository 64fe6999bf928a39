/** What one `consul_sd_configs` entry may hold; beyond it an answer is refused and what was known stays. */
export const consulServicesMax = 10_000
export const consulInstancesMax = 100_000
export const consulBytesMax = 512 * 2 ** 20

interface ServiceSize {
  readonly instances: number
  readonly bytes: number
}

/** Counts the instances of all services together: each service is asked for on its own. */
export class ConsulBounds {
  readonly #sizes = new Map<string, ServiceSize>()
  #instances = 0
  #bytes = 0

  /** Takes the newest answer about a service. Throws when all services together hold too much with it; the one before counts on then. */
  take(service: string, size: ServiceSize): void {
    const before = this.#sizes.get(service) ?? { instances: 0, bytes: 0 }
    const instances = this.#instances + size.instances - before.instances
    const bytes = this.#bytes + size.bytes - before.bytes
    if (instances > consulInstancesMax)
      throw new Error(`cannot read instances: want at most ${consulInstancesMax} of all services, got ${instances}`)
    if (bytes > consulBytesMax) throw new Error(`cannot read instances: want at most ${consulBytesMax} bytes of all services, got ${bytes}`)
    this.#sizes.set(service, size)
    this.#instances = instances
    this.#bytes = bytes
  }

  forget(service: string): void {
    this.take(service, { instances: 0, bytes: 0 })
    this.#sizes.delete(service)
  }
}

/** Throws when there are more services than may be watched. */
export function checkServiceCount(count: number): void {
  if (count > consulServicesMax) throw new Error(`cannot watch services: want at most ${consulServicesMax}, got ${count}`)
}

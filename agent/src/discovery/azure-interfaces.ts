import { isRecord, listField, recordField, textField, type JsonRecord } from './json-fields.ts'

/** What a target needs of a network interface. */
export interface AzureInterface {
  /** Undefined while its machine does not run anywhere. */
  readonly isPrimary: boolean | undefined
  /** Of its first address; empty if there is none. */
  readonly privateIp: string
  readonly publicIp: string
}

export interface AzureInterfacesOptions {
  readonly fetch: (id: string, isOfScaleSet: boolean, signal: AbortSignal) => Promise<JsonRecord | undefined>
  readonly refreshIntervalMs: number
  readonly now: () => number
  readonly random?: () => number
  /** Called for each interface that needed no request. */
  readonly onHit: () => void
}

/** Interfaces kept; those found longest ago go first. */
export const interfacesMax = 20_000

/** An address is shorter, with a zone too. */
const addressLengthMax = 64

interface Kept {
  readonly found: AzureInterface
  readonly untilMs: number
}

/**
 * Looks network interfaces up and keeps what it found for 10 to 13 refreshes: Azure gives an interface of its own answer to each request,
 * and few requests an hour.
 */
export class AzureInterfaces {
  readonly #options: AzureInterfacesOptions
  readonly #kept = new Map<string, Kept>()

  constructor(options: AzureInterfacesOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#kept.size
  }

  /** Undefined if there is no such interface. */
  async find(id: string, isOfScaleSet: boolean, signal: AbortSignal): Promise<AzureInterface | undefined> {
    const { fetch, now, random, refreshIntervalMs, onHit } = this.#options
    const kept = this.#kept.get(id)
    if (kept !== undefined && now() < kept.untilMs) {
      onHit()
      return kept.found
    }
    this.#kept.delete(id)
    const fields = await fetch(id, isOfScaleSet, signal)
    if (fields === undefined) return undefined
    const found = readInterface(fields)
    // Its machine may be started any time.
    if (found.isPrimary === undefined) return found
    // Spread out, so that not all of them end with the same refresh.
    const untilMs = now() + refreshIntervalMs * (10 + 3 * (random ?? Math.random)())
    this.#kept.set(id, { found, untilMs })
    if (this.#kept.size > interfacesMax) this.#kept.delete(this.#kept.keys().next().value!)
    return found
  }
}

function readInterface(fields: JsonRecord): AzureInterface {
  const properties = recordField(fields, 'properties')
  const primary = properties['primary']
  const address = recordField(listField(properties, 'ipConfigurations').filter(isRecord)[0] ?? {}, 'properties')
  return {
    isPrimary: typeof primary === 'boolean' ? primary : undefined,
    privateIp: readAddress(address, 'privateIPAddress'),
    publicIp: readAddress(recordField(recordField(address, 'publicIPAddress'), 'properties'), 'ipAddress'),
  }
}

function readAddress(fields: JsonRecord, name: string): string {
  const address = textField(fields, name)
  if (address.length > addressLengthMax)
    throw new Error(`cannot read an Azure network interface: want ${name} of at most ${addressLengthMax} characters, got ${address.length}`)
  return address
}

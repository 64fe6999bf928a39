import type { NamePattern } from '@narthex/exporter-kit/name-filter'

/** Names of drivers that are remembered; a driver with a queue per CPU has some thousands. */
const namesMax = 16_384

/** Statistics that most drivers have get the names that Prometheus gives such things. */
const usualNames = new Map(
  'rx_bytes rx_dropped rx_errors rx_packets tx_bytes tx_errors tx_packets'
    .split(' ')
    .map((name) => [name, `node_ethtool_${name.replace(/^rx/, 'received').replace(/^tx/, 'transmitted')}_total`]),
)

interface KnownName {
  readonly clean: string
  readonly family: string
}

/** Families for the names that drivers give to their statistics. */
export class EthtoolNames {
  readonly #wanted: NamePattern
  readonly #known = new Map<string, KnownName | undefined>()

  constructor(wanted: NamePattern) {
    this.#wanted = wanted
  }

  /** Values by family; of names that become the same one, none is shown. */
  toFamilies(names: readonly string[], values: readonly number[]): Map<string, number> {
    const families = new Map<string, number>()
    const seen = new Map<string, string>()
    const ambiguous: string[] = []
    names.forEach((name, index) => {
      const known = this.#find(name)
      if (known === undefined) return
      const former = seen.get(known.family)
      // A driver that repeats a name means the last one.
      if (former !== undefined && former !== name) ambiguous.push(known.family)
      seen.set(known.family, name)
      families.set(known.family, values[index]!)
    })
    for (const family of ambiguous) families.delete(family)
    return families
  }

  #find(name: string): KnownName | undefined {
    if (this.#known.has(name)) return this.#known.get(name)
    const clean = name.replaceAll(/[^a-zA-Z0-9_]/g, '_')
    const known = this.#wanted.test(clean) ? { clean, family: usualNames.get(clean) ?? toFamily(clean) } : undefined
    if (this.#known.size >= namesMax) this.#known.clear()
    this.#known.set(name, known)
    return known
  }
}

/** Lower case, without underscores in front; `rx` and `tx` as whole words are spelt out. Two in a row share an underscore: only the first is. */
function toFamily(clean: string): string {
  const lower = clean.toLowerCase().replace(/^_+/, '')
  const received = lower.replaceAll(/(^|_)rx(_|$)/g, '$1received$2')
  return `node_ethtool_${received.replaceAll(/(^|_)tx(_|$)/g, '$1transmitted$2')}`
}

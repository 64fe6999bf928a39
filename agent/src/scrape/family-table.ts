import type { MetricType } from '@narthex/model/metric-type'
import type { FamilyMetadata } from '../store/frame.ts'

/** Most families whose metadata is kept per target; the metadata of further ones is not recorded. */
export const familiesPerTargetMax = 20_000

const suffixes: readonly (readonly [string, readonly MetricType[]])[] = [
  ['_total', ['counter']],
  ['_bucket', ['histogram', 'gaugehistogram']],
  ['_sum', ['histogram', 'summary']],
  ['_count', ['histogram', 'summary']],
  ['_gsum', ['gaugehistogram']],
  ['_gcount', ['gaugehistogram']],
  ['_created', ['counter', 'histogram', 'summary']],
  ['_info', ['info']],
]

/** Kinds of metadata under one name that are shared; every step from nothing to name, type, help and unit is one. */
const variantsMax = 16

/** The same metadata object for the targets of a job that say the same: a thousand node exporters have one set of HELP texts. */
export class FamilyInterner {
  #families = new Map<string, FamilyMetadata[]>()

  intern(family: FamilyMetadata): FamilyMetadata {
    const variants = this.#families.get(family.name)
    if (variants === undefined) {
      if (this.#families.size < familiesPerTargetMax) this.#families.set(family.name, [family])
      return family
    }
    for (const known of variants) {
      if (known.type === family.type && known.help === family.help && known.unit === family.unit) return known
    }
    // What nobody says any more makes room.
    if (variants.length >= variantsMax) variants.shift()
    variants.push(family)
    return family
  }
}

/** HELP, TYPE and UNIT of one target's families, as last scraped. */
export class FamilyTable {
  #families = new Map<string, FamilyMetadata>()
  readonly #interner: FamilyInterner
  /** True when a family changed since this was last set to false. */
  changed = false

  constructor(interner: FamilyInterner) {
    this.#interner = interner
  }

  get size(): number {
    return this.#families.size
  }

  all(): IterableIterator<FamilyMetadata> {
    return this.#families.values()
  }

  get(name: string): FamilyMetadata | undefined {
    return this.#families.get(name)
  }

  set(name: string, part: Partial<Pick<FamilyMetadata, 'type' | 'help' | 'unit'>>): void {
    const known = this.#families.get(name)
    if (known === undefined && this.#families.size >= familiesPerTargetMax) return
    const next = {
      name,
      type: part.type ?? known?.type ?? 'unknown',
      help: part.help ?? known?.help ?? '',
      unit: part.unit ?? known?.unit ?? '',
    }
    if (known !== undefined && known.type === next.type && known.help === next.help && known.unit === next.unit) return
    const shared = this.#interner.intern(next)
    this.#families.set(shared.name, shared)
    this.changed = true
  }

  /** The family that a metric with this name belongs to: its own, or that of which it is the `_bucket`, `_total` and so on. */
  ofMetric(metric: string): FamilyMetadata | undefined {
    const own = this.#families.get(metric)
    if (own !== undefined) return own
    for (const [suffix, types] of suffixes) {
      if (!metric.endsWith(suffix)) continue
      const family = this.#families.get(metric.slice(0, -suffix.length))
      if (family !== undefined && types.includes(family.type)) return family
    }
    return undefined
  }
}

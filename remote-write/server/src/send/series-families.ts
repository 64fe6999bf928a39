import type { FamilyMetadata } from '@narthex/agent/store/frame'
import type { MetricType } from '@narthex/model/metric-type'

/** More families than this are not known by name. */
export const familiesMax = 100_000

const suffixes: readonly { readonly text: string; readonly types: readonly MetricType[] }[] = [
  { text: '_bucket', types: ['histogram', 'gaugehistogram'] },
  { text: '_sum', types: ['histogram', 'summary'] },
  { text: '_count', types: ['histogram', 'summary'] },
  { text: '_gsum', types: ['gaugehistogram'] },
  { text: '_gcount', types: ['gaugehistogram'] },
  { text: '_total', types: ['counter'] },
  { text: '_created', types: ['counter', 'histogram', 'summary'] },
  { text: '_info', types: ['info'] },
]

/** What is known of metric families: from targets and received requests by family, from the log by the name of a series. */
export class SeriesFamilies {
  readonly #families = new Map<string, FamilyMetadata>()
  /** Changes when what `find` gives may have changed. */
  version = 0

  /** Takes what is new or has changed; what is known stays. */
  set(families: readonly FamilyMetadata[]): void {
    for (const family of families) {
      const known = this.#families.get(family.name)
      if (known === undefined ? this.#families.size >= familiesMax : isSame(known, family)) continue
      this.#families.set(family.name, family)
      this.version++
    }
  }

  /** As `set`, for one series: the log has metadata by series. */
  setOfSeries(name: string, type: MetricType, help: string, unit: string): void {
    const suffix = suffixes.find(({ text, types }) => text !== '_total' && name.endsWith(text) && types.includes(type))
    this.set([{ name: suffix === undefined ? name : name.slice(0, -suffix.text.length), type, help, unit }])
  }

  /** The family of a series by its metric name. */
  find(name: string): FamilyMetadata | undefined {
    const exact = this.#families.get(name)
    if (exact !== undefined) return exact
    for (const { text, types } of suffixes) {
      if (!name.endsWith(text)) continue
      const family = this.#families.get(name.slice(0, -text.length))
      if (family !== undefined && types.includes(family.type)) return family
    }
    return undefined
  }
}

function isSame(a: FamilyMetadata, b: FamilyMetadata): boolean {
  return a.type === b.type && a.help === b.help && a.unit === b.unit
}

import { goType } from './go-type.ts'
import { StringMap, sortedEntries } from './value.ts'

/** One label or annotation of a notification. */
export interface Pair {
  readonly Name: string
  readonly Value: string
}

/** Labels or annotations in Alertmanager's templates: a map of texts with methods. */
export class KeyValues extends StringMap {
  readonly [goType] = 'template.KV'

  /** By name, `alertname` first. */
  SortedPairs(): Pairs {
    const entries = sortedEntries(this) as [string, string][]
    const pairs = new Pairs()
    for (const [Name, Value] of entries) if (Name === 'alertname') pairs.push({ Name, Value })
    for (const [Name, Value] of entries) if (Name !== 'alertname') pairs.push({ Name, Value })
    return pairs
  }

  Remove(names: unknown): KeyValues {
    if (!Array.isArray(names)) throw new Error('wrong type for value; expected []string')
    return new KeyValues([...this].filter(([name]) => !names.includes(name)))
  }

  Names(): string[] {
    return this.SortedPairs().Names()
  }

  Values(): string[] {
    return this.SortedPairs().Values()
  }

  String(): string {
    return this.SortedPairs().String()
  }
}

export class Pairs extends Array<Pair> {
  readonly [goType] = 'template.Pairs'

  Names(): string[] {
    return Array.from(this, ({ Name }) => Name)
  }

  Values(): string[] {
    return Array.from(this, ({ Value }) => Value)
  }

  /** `a=1, b=2` */
  String(): string {
    return Array.from(this, ({ Name, Value }) => `${Name}=${Value}`).join(', ')
  }
}

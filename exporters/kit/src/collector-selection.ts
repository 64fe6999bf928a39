import type { Collector } from './collector.ts'

/** A query that names collectors wrongly: answered with 400 and this text. */
export class SelectionError extends Error {
  override name = 'SelectionError'
}

/**
 * The enabled collectors that a query asks for: `collect[]` names the wanted, `exclude[]` the unwanted ones; names in `exclude[]` that
 * do not exist exclude nothing. `known` holds the names of all collectors, also of those that are off.
 */
export function selectCollectors(enabled: readonly Collector[], known: ReadonlySet<string>, query: URLSearchParams): readonly Collector[] {
  if (query.size === 0) return enabled
  const wanted = query.getAll('collect[]')
  const unwanted = query.getAll('exclude[]')
  if (wanted.length === 0 && unwanted.length === 0) return enabled
  if (wanted.length > 0 && unwanted.length > 0) throw new SelectionError('Combined collect and exclude queries are not allowed.')
  if (unwanted.length > 0) return enabled.filter((collector) => !unwanted.includes(collector.name))
  for (const name of wanted) {
    if (!known.has(name)) throw new SelectionError(`Couldn't create filtered metrics handler: missing collector: ${name}`)
    if (!enabled.some((collector) => collector.name === name)) {
      throw new SelectionError(`Couldn't create filtered metrics handler: disabled collector: ${name}`)
    }
  }
  return enabled.filter((collector) => wanted.includes(collector.name))
}

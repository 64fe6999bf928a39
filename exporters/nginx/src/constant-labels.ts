import { isValidLegacyLabelName } from '@narthex/model/name'

/**
 * Reads `name=value` items, each perhaps several with commas between them, as a flat list sorted by name. Throws one clear line for what
 * cannot be a label.
 */
export function parseConstantLabels(items: readonly string[]): readonly string[] {
  const labels = new Map<string, string>()
  for (const item of items.flatMap((list) => list.split(','))) {
    if (item.trim() === '') continue
    const equals = item.indexOf('=')
    const name = item.slice(0, Math.max(0, equals)).trim()
    if (!isValidLegacyLabelName(name) || name.startsWith('__')) {
      throw new Error(`cannot use flag --prometheus.const-label: want label=value, got ${JSON.stringify(item)}`)
    }
    labels.set(name, item.slice(equals + 1).trim())
  }
  return [...labels].sort(([a], [b]) => (a < b ? -1 : 1)).flat()
}

/** `labels`, which are sorted, with one more in its place; a label of that name gives way. */
export function withLabel(labels: readonly string[], name: string, value: string): readonly string[] {
  return withLabels(labels, [name, value])
}

/** `labels`, which are sorted, with those of `pairs` in their places; a label of `labels` with such a name gives way. */
export function withLabels(labels: readonly string[], pairs: readonly string[]): readonly string[] {
  const merged = [...labels]
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i]!
    let at = 0
    while (at < merged.length && merged[at]! < name) at += 2
    merged.splice(at, merged[at] === name ? 2 : 0, name, pairs[i + 1]!)
  }
  return merged
}

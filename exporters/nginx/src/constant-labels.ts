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

/** `labels` with one more in its place; a label of that name gives way. */
export function withLabel(labels: readonly string[], name: string, value: string): readonly string[] {
  const pairs = new Map([[name, value]])
  for (let i = 0; i < labels.length; i += 2) if (labels[i] !== name) pairs.set(labels[i]!, labels[i + 1]!)
  return [...pairs].sort(([a], [b]) => (a < b ? -1 : 1)).flat()
}

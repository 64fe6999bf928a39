/** Two flat label lists sorted by name as one; a name that is in both is taken from `extra`. */
export function mergeLabels(labels: readonly string[], extra: readonly string[]): string[] {
  const merged: string[] = []
  let i = 0
  let j = 0
  while (i < labels.length && j < extra.length) {
    const [a, b] = [labels[i]!, extra[j]!]
    if (a < b) {
      merged.push(a, labels[i + 1]!)
      i += 2
      continue
    }
    if (a === b) i += 2
    merged.push(b, extra[j + 1]!)
    j += 2
  }
  for (; i < labels.length; i++) merged.push(labels[i]!)
  for (; j < extra.length; j++) merged.push(extra[j]!)
  return merged
}

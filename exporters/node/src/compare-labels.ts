/** Orders flat label lists with the same names by their values, as samples of a family are printed. */
export function compareLabels(a: readonly string[], b: readonly string[]): number {
  for (let i = 1; i < a.length && i < b.length; i += 2) if (a[i] !== b[i]) return a[i]! < b[i]! ? -1 : 1
  return a.length - b.length
}

/** What vm_stat(1) of macOS prints: bytes of a page, and counts of pages by their name (`Pages wired down`). */
export interface VmStatistics {
  readonly pageBytes: number
  readonly counts: ReadonlyMap<string, number>
}

/**
 * ```text
 * Mach Virtual Memory Statistics: (page size of 16384 bytes)
 * Pages active:                            250123.
 * "Translation faults":                 987654321.
 * ```
 */
export function parseVmStatistics(text: string): VmStatistics {
  const pageBytes = Number(/page size of (\d+) bytes/.exec(text)?.[1])
  if (!(pageBytes > 0)) throw new Error(`cannot read vm_stat: want a page size, got ${JSON.stringify(text.slice(0, 80))}`)
  const counts = new Map<string, number>()
  for (const [, name, count] of text.matchAll(/^"?([^":\n]+)"?:\s+(\d+)\.?\s*$/gm)) counts.set(name!, Number(count))
  return { pageBytes, counts }
}

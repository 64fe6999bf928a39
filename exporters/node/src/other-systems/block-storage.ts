/** A driver of block storage as ioreg(8) shows it. */
export interface BlockStorage {
  /** `disk0`. */
  readonly device: string
  /** 0 if it was not told. */
  readonly blockBytes: number
  /** `Bytes (Read)` → 1234. */
  readonly statistics: ReadonlyMap<string, number>
}

/**
 * Reads `ioreg -c IOBlockStorageDriver -r -l -w0`: each driver has its statistics on one line, and below it the medium with its name.
 *
 * ```text
 * +-o IOBlockStorageDriver  <class IOBlockStorageDriver, …>
 *   "Statistics" = {"Operations (Write)"=11,"Bytes (Read)"=4096,…}
 *       "Preferred Block Size" = 4096
 *       "BSD Name" = "disk0"
 * ```
 */
export function parseBlockStorage(text: string): BlockStorage[] {
  const found: BlockStorage[] = []
  let statistics: ReadonlyMap<string, number> | undefined
  let blockBytes = 0
  for (const line of text.split('\n')) {
    // The next driver; one without a medium has no name to give.
    if (line.startsWith('+-o ')) statistics = undefined
    const property = /"([^"]+)" = (.*)$/.exec(line)
    if (property === null) continue
    const [, name, value] = property
    if (name === 'Statistics' && value!.includes('Operations (Read)')) {
      statistics = new Map([...value!.matchAll(/"([^"]+)"=(\d+)/g)].map(([, key, count]) => [key!, Number(count)]))
      blockBytes = 0
    } else if (name === 'Preferred Block Size') blockBytes ||= Number(value)
    else if (name === 'BSD Name' && statistics !== undefined) {
      // The first name below a driver is that of the whole disk; its partitions follow.
      found.push({ device: value!.replaceAll('"', ''), blockBytes, statistics })
      statistics = undefined
    }
  }
  return found
}

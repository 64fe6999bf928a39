const columns = [
  'bytesRead',
  'bytesWrite',
  'bytesSync',
  'bytesAsync',
  'bytesDiscard',
  'bytesTotal',
  'operationsRead',
  'operationsWrite',
  'mergedRead',
  'mergedWrite',
  // seconds
  'timeRead',
  'timeWrite',
  'timeTotal',
  'queuedTotal',
  // seconds
  'costUsage',
  'costWait',
  'costIndebt',
  'costIndelay',
] as const

export type DiskColumn = (typeof columns)[number]

/** Index of each figure in `DiskRow.values`. */
export const diskColumn = Object.fromEntries(columns.map((name, index) => [name, index])) as Readonly<Record<DiskColumn, number>>

export interface DiskRow {
  major: number
  minor: number
  /** NaN where the kernel tells nothing. */
  readonly values: Float64Array
}

/** Devices that are kept per cgroup. */
const rowsMax = 256

/** What a cgroup did to the block devices; rows are used again. */
export class DiskTable {
  readonly #rows: DiskRow[] = []
  length = 0

  clear(): void {
    this.length = 0
  }

  at(index: number): DiskRow {
    return this.#rows[index]!
  }

  /** The row of a device, made if need be; undefined when there are too many. */
  find(major: number, minor: number): DiskRow | undefined {
    for (let index = 0; index < this.length; index++) {
      const row = this.#rows[index]!
      if (row.major === major && row.minor === minor) return row
    }
    if (this.length >= rowsMax) return undefined
    const row = this.#rows[this.length] ?? { major, minor, values: new Float64Array(columns.length) }
    this.#rows[this.length++] = row
    row.major = major
    row.minor = minor
    row.values.fill(NaN)
    return row
  }
}

import type { ByteScanner } from '@narthex/exporter-kit/byte-scanner'

export interface InterfaceRow {
  name: string
  /** Received bytes, packets, errors, drops; sent bytes, packets, errors, drops. */
  readonly values: Float64Array
}

/** Interfaces that are kept per cgroup. */
const rowsMax = 512
const ignoredPrefixes = ['lo', 'veth', 'docker', 'nerdctl']
/** Of the 16 columns behind the name. */
const wantedColumns = [0, 1, 2, 3, 8, 9, 10, 11]
const colon = 58

/** The network interfaces of a cgroup's namespace; rows are used again. */
export class InterfaceTable {
  readonly #rows: InterfaceRow[] = []
  length = 0

  clear(): void {
    this.length = 0
  }

  at(index: number): InterfaceRow {
    return this.#rows[index]!
  }

  /** Reads /proc/PID/net/dev. Interfaces that belong to no container's inside (lo, veth…, docker…, nerdctl…) are left out. */
  parse(scanner: ByteScanner): void {
    scanner.nextLine()
    scanner.nextLine()
    while (scanner.nextLine()) {
      const end = scanner.bytes.indexOf(colon, scanner.lineStart)
      if (end < 0 || end >= scanner.lineEnd) continue
      const name = scanner.text(scanner.lineStart, end).trim()
      const lower = name.toLowerCase()
      if (ignoredPrefixes.some((prefix) => lower.startsWith(prefix)) || this.length >= rowsMax) continue
      const row = this.#rows[this.length] ?? { name, values: new Float64Array(wantedColumns.length) }
      row.name = name
      scanner.moveTo(end + 1)
      let taken = 0
      for (let index = 0; taken < wantedColumns.length; index++) {
        const value = scanner.nextUnsigned()
        if (Number.isNaN(value)) break
        if (index === wantedColumns[taken]) row.values[taken++] = value
      }
      if (taken === wantedColumns.length) this.#rows[this.length++] = row
    }
  }
}

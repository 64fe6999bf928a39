/** A network device as netstat(1) of macOS counts it, by the families that show it. */
export interface InterfaceStatistics {
  readonly device: string
  /** `receive_bytes` → 1234; without what netstat prints as a dash. */
  readonly counts: ReadonlyMap<string, number>
}

/** The last columns, with the families they become; the drops behind them are those of the queue for sending, which node_exporter has not. */
const columns = [
  ...['receive_packets', 'receive_errs', 'receive_bytes', 'transmit_packets', 'transmit_errs', 'transmit_bytes', 'transmit_colls'],
  undefined,
]

/**
 * Reads `netstat -ibdn`, of each device the line of its link: the others repeat its counts for each address. Where the link has no address
 * a field is missing, so fields are counted from the end.
 *
 * ```text
 * Name  Mtu   Network    Address            Ipkts Ierrs  Ibytes Opkts Oerrs Obytes Coll Drop
 * lo0   16384 <Link#1>                        100     0   20000   100     0  20000    0    0
 * en0   1500  <Link#4>   aa:bb:cc:dd:ee:ff    300     1  400000   200     2  30000    3    4
 * ```
 */
export function parseInterfaceStatistics(text: string): InterfaceStatistics[] {
  const found: InterfaceStatistics[] = []
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/)
    if (!/^<Link#\d+>$/.test(fields[2] ?? '') || fields.length < 3 + columns.length) continue
    const counts = new Map<string, number>()
    for (const [index, name] of columns.entries()) {
      const field = fields.at(index - columns.length)!
      if (name !== undefined && /^\d+$/.test(field)) counts.set(name, Number(field))
    }
    // A device that is down has a star.
    found.push({ device: fields[0]!.replace(/\*$/, ''), counts })
  }
  return found
}

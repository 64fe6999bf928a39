import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { hexadecimalDigit } from './attribute-reader.ts'
import type { NodeEnvironment } from './environment.ts'

// Columns of /proc/net/softnet_stat, hexadecimal 32-bit numbers: 9 since Linux 2.6.23, received_rps since 2.6.39, flow_limit_count since
// 3.11, the last two since 5.14.
const families: readonly (readonly [column: number, name: string, help: string, type: 'counter' | 'gauge'])[] = [
  [11, 'backlog_len', 'Packets in the backlog of the CPU.', 'gauge'],
  [8, 'cpu_collision_total', 'Times that the device was locked when the CPU wanted to send.', 'counter'],
  [1, 'dropped_total', 'Packets dropped because the backlog was full.', 'counter'],
  [10, 'flow_limit_count_total', 'Packets dropped by the flow limit.', 'counter'],
  [0, 'processed_total', 'Packets processed.', 'counter'],
  [9, 'received_rps_total', 'Times that another CPU woke this one to process packets.', 'counter'],
  [2, 'times_squeezed_total', 'Times that packets were left over when the time or budget was used up.', 'counter'],
]
const columnsMin = 9
const cpuColumn = 12
const columnCount = 13

interface CpuRow {
  readonly labels: readonly string[]
  readonly values: Float64Array
}

export function createSoftnetCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('net/softnet_stat')
  const numbers = new Float64Array(columnCount)
  const known = new Map<number, CpuRow>()

  function collect({ writer }: CollectContext): void {
    const rows = readRows()
    for (const [column, name, help, type] of families) {
      writer.family(`node_softnet_${name}`, help, type)
      for (const { labels, values } of rows) writer.sample(values[column]!, labels)
    }
  }

  /** Rows sorted by CPU as text; columns that the kernel lacks are 0, as in the original. Row objects are reused. */
  function readRows(): CpuRow[] {
    scanner.load(files.read(path))
    const rows: CpuRow[] = []
    while (scanner.nextLine()) {
      numbers.fill(0)
      let count = 0
      while (count < columnCount && scanner.nextField()) numbers[count++] = readHexadecimal()
      if (count < columnsMin) throw new Error(`cannot read ${path}: want at least ${columnsMin} columns, got ${count}`)
      const cpu = count > cpuColumn ? numbers[cpuColumn]! : rows.length
      let row = known.get(cpu)
      if (row === undefined) {
        row = { labels: ['cpu', String(cpu)], values: new Float64Array(columnCount) }
        known.set(cpu, row)
      }
      row.values.set(numbers)
      rows.push(row)
    }
    return rows.sort((a, b) => (a.labels[1]! < b.labels[1]! ? -1 : 1))
  }

  function readHexadecimal(): number {
    const { bytes, fieldStart, fieldEnd } = scanner
    let value = 0
    for (let offset = fieldStart; offset < fieldEnd; offset++) {
      const digit = hexadecimalDigit(bytes[offset]!)
      if (digit < 0) throw new Error(`cannot read ${path}: want hexadecimal numbers, got ${JSON.stringify(scanner.text())}`)
      value = value * 16 + digit
    }
    return value
  }

  return { name: 'softnet', defaultOn: true, collect }
}

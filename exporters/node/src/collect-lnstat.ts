import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { readdirSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'

interface Table {
  readonly file: string
  readonly columns: readonly string[]
  /** Rows (one per CPU) behind each other. */
  readonly values: readonly number[]
}

export function createLnstatCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const root = environment.procPath('net/stat')

  function collect({ writer }: CollectContext): void {
    const tables = listFiles().map((file) => readTable(file))
    for (const column of new Set(tables.flatMap(({ columns }) => columns))) {
      writer.family(`node_lnstat_${column}_total`, `Column ${column} of /proc/net/stat.`, 'counter')
      for (const { file, columns, values } of tables) {
        // A name that stands twice goes on counting CPUs, as in the original.
        let cpu = 0
        for (let at = 0; at < values.length; at++) {
          if (columns[at % columns.length] === column) writer.sample(values[at]!, ['cpu', String(cpu++), 'subsystem', file])
        }
      }
    }
  }

  function listFiles(): string[] {
    try {
      return readdirSync(root).sort()
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return []
      throw error
    }
  }

  // A line of names, then a line of hexadecimal numbers for each CPU.
  function readTable(file: string): Table {
    const columns: string[] = []
    const values: number[] = []
    scanner.load(files.read(`${root}/${file}`))
    scanner.nextLine()
    while (scanner.nextField()) columns.push(scanner.text())
    while (scanner.nextLine()) {
      for (const column of columns) {
        if (!scanner.nextField()) throw new Error(`cannot read ${root}/${file}: want ${columns.length} numbers in a line, got fewer`)
        const text = scanner.text()
        if (!/^[0-9a-fA-F]{1,16}$/.test(text))
          throw new Error(`cannot read ${root}/${file}: want a number for ${column}, got ${JSON.stringify(text)}`)
        values.push(Number(`0x${text}`))
      }
    }
    return { file, columns, values }
  }

  return { name: 'lnstat', defaultOn: false, collect }
}

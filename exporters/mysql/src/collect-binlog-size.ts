import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readNumber, readText } from './query-result.ts'

export function createBinlogSizeCollector(): MysqlCollector {
  return { name: 'binlog_size', defaultOn: false, source: 'SHOW BINARY LOGS', collect }
}

// A server that keeps no binary log is a success without families, as in the original.
async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const isOn = readText((await session.query('SELECT @@log_bin')).rows[0]?.[0])
  if (isOn !== '1') return
  const { rows } = await session.query('SHOW BINARY LOGS')
  const bytes = rows.reduce((sum, row) => sum + (readNumber(row[1]) ?? 0), 0)
  // `mysql-bin.000012` has number 12.
  const last = readText(rows.at(-1)?.[0])
  const number = /\.(\d+)$/.exec(last)?.[1]
  writeOne(writer, 'mysql_binlog_size_bytes', 'Combined size of all registered binlog files.', bytes)
  writeOne(writer, 'mysql_binlog_files', 'Number of registered binlog files.', rows.length)
  if (number === undefined) throw new Error(`cannot read the last binary log: want NAME.NUMBER, got ${JSON.stringify(last)}`)
  writeOne(writer, 'mysql_binlog_file_number', 'The last binlog file number.', Number(number))
}

function writeOne(writer: MetricWriter, name: string, help: string, value: number): void {
  writer.family(name, help, 'gauge')
  writer.sample(value)
}

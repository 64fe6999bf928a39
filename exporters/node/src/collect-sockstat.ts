import type { ByteScanner } from '@narthex/exporter-kit/byte-scanner'
import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { NodeEnvironment } from './environment.ts'
import { parseInteger } from './number-file.ts'
import { readPageBytes } from './page-size.ts'

export function createSockstatCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('net/sockstat')
  const path6 = environment.procPath('net/sockstat6')
  const pageBytes = readPageBytes()

  function collect({ writer }: CollectContext): void {
    for (const file of [path, path6]) {
      try {
        scanner.load(files.read(file))
      } catch (error) {
        if (systemErrorCode(error) === 'ENOENT') continue // a kernel without this protocol
        throw error
      }
      writeProtocols(scanner, writer, pageBytes)
    }
  }

  return { name: 'sockstat', defaultOn: true, collect }
}

// `sockets: used 17`, `TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 404`
function writeProtocols(scanner: ByteScanner, writer: MetricWriter, pageBytes: number): void {
  while (scanner.nextLine()) {
    if (!scanner.nextField()) continue
    const protocol = scanner.text(scanner.fieldStart, scanner.fieldEnd - 1)
    while (scanner.nextField()) {
      const key = scanner.text()
      const value = scanner.nextField() ? parseInteger(scanner.text()) : undefined
      if (value === undefined) throw new Error(`cannot read sockstat: want a number for ${protocol} ${key}, got none`)
      if (protocol === 'sockets') write(writer, `sockets_${key}`, 'Sockets in use.', value)
      else write(writer, `${protocol}_${key}`, `Sockets of ${protocol} in state ${key}.`, value)
      if (key === 'mem') write(writer, `${protocol}_mem_bytes`, `Bytes held by sockets of ${protocol}.`, value * pageBytes)
    }
  }
}

function write(writer: MetricWriter, name: string, help: string, value: number): void {
  writer.family(`node_sockstat_${name}`, help, 'gauge')
  writer.sample(value)
}

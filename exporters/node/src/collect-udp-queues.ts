import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { hexadecimalDigit } from './attribute-reader.ts'
import type { NodeEnvironment } from './environment.ts'

const queueColumn = 4
const columnsMin = 10
const colon = 58

export function createUdpQueuesCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const tables = ['v4', 'v6'].map((version) => ({
    path: environment.procPath(version === 'v4' ? 'net/udp' : 'net/udp6'),
    receiveLabels: ['ip', version, 'queue', 'rx'],
    transmitLabels: ['ip', version, 'queue', 'tx'],
  }))
  let receiveBytes = 0
  let transmitBytes = 0

  function collect({ writer }: CollectContext): void {
    let found = 0
    writer.family('node_udp_queues', 'Bytes that wait in the queues of UDP sockets.', 'gauge')
    for (const { path, receiveLabels, transmitLabels } of tables) {
      const bytes = readTable(path)
      if (bytes === undefined) continue
      found++
      scanner.load(bytes)
      sumQueues(path)
      writer.sample(receiveBytes, receiveLabels)
      writer.sample(transmitBytes, transmitLabels)
    }
    if (found === 0) throw new NoDataError('the kernel has no UDP')
  }

  function readTable(path: string): Buffer | undefined {
    try {
      return files.read(path)
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error
      return undefined
    }
  }

  /** Sums up `tx:rx`, the fifth column, hexadecimal, over the sockets behind the heading. */
  function sumQueues(path: string): void {
    receiveBytes = transmitBytes = 0
    scanner.nextLine()
    while (scanner.nextLine()) {
      let count = 0
      let queues = 0
      let queuesEnd = 0
      while (count < columnsMin && scanner.nextField()) {
        if (count++ !== queueColumn) continue
        queues = scanner.fieldStart
        queuesEnd = scanner.fieldEnd
      }
      if (count < columnsMin) throw new Error(`cannot read ${path}: want ${columnsMin} columns, got ${count}`)
      const split = scanner.bytes.indexOf(colon, queues)
      if (split < 0 || split >= queuesEnd) throw new Error(`cannot read ${path}: want tx:rx, got ${scanner.text(queues, queuesEnd)}`)
      transmitBytes += hexadecimal(path, queues, split)
      receiveBytes += hexadecimal(path, split + 1, queuesEnd)
    }
  }

  function hexadecimal(path: string, start: number, end: number): number {
    let value = 0
    for (let offset = start; offset < end; offset++) {
      const digit = hexadecimalDigit(scanner.bytes[offset]!)
      if (digit < 0) throw new Error(`cannot read ${path}: want a hexadecimal number, got ${scanner.text(start, end)}`)
      value = value * 16 + digit
    }
    return value
  }

  return { name: 'udp_queues', defaultOn: true, collect }
}

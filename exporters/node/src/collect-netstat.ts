import type { ByteScanner } from '@narthex/exporter-kit/byte-scanner'
import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { NamePattern } from '@narthex/exporter-kit/name-filter'
import { parseGoFloat } from '@narthex/model/number'
import type { NodeEnvironment } from './environment.ts'

export const netstatFlags: readonly FlagSpec[] = [
  {
    name: 'collector.netstat.fields',
    type: 'string',
    default:
      '^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)' +
      '|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)' +
      '|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)' +
      '|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$',
    help: 'Regexp of fields to return for netstat collector.',
  },
]

interface Field {
  readonly metric: string
  readonly help: string
}

export function createNetstatCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const paths = [environment.procPath('net/netstat'), environment.procPath('net/snmp')]
  const path6 = environment.procPath('net/snmp6')
  const fields = new FieldTable(new NamePattern(environment.flags.string('collector.netstat.fields')))

  function collect({ writer }: CollectContext): void {
    for (const path of paths) {
      scanner.load(files.read(path))
      writeTables(scanner, fields, writer, path)
    }
    const bytes = files.readIfThere(path6)
    if (bytes === undefined) return // a kernel without IPv6
    scanner.load(bytes)
    writePairs(scanner, fields, writer, path6)
  }

  return { name: 'netstat', defaultOn: true, collect }
}

/** Remembers which fields are wanted, and under which name, by protocol and by field. */
class FieldTable {
  readonly #wanted: NamePattern
  readonly #byProtocol = new Map<string, Map<string, Field | undefined>>()

  constructor(wanted: NamePattern) {
    this.#wanted = wanted
  }

  find(protocol: string, name: string): Field | undefined {
    let byName = this.#byProtocol.get(protocol)
    if (byName === undefined) {
      byName = new Map()
      this.#byProtocol.set(protocol, byName)
    }
    if (byName.has(name)) return byName.get(name)
    const key = `${protocol}_${name}`
    const field = this.#wanted.test(key) ? { metric: `node_netstat_${key}`, help: `Statistic ${protocol}${name}.` } : undefined
    byName.set(name, field)
    return field
  }
}

// Pairs of lines, `Tcp: InSegs OutSegs` and `Tcp: 12 34`.
function writeTables(scanner: ByteScanner, fields: FieldTable, writer: MetricWriter, path: string): void {
  const names: string[] = []
  while (scanner.nextLine()) {
    names.length = 0
    if (!scanner.nextField()) continue
    const protocol = scanner.text(scanner.fieldStart, scanner.fieldEnd - 1)
    while (scanner.nextField()) names.push(scanner.text())
    const hasValues = scanner.nextLine() && scanner.nextField() && scanner.text(scanner.fieldStart, scanner.fieldEnd - 1) === protocol
    if (!hasValues) throw new Error(`cannot read ${path}: want a line of values for ${protocol}, got none`)
    for (const name of names) {
      if (!scanner.nextField()) throw new Error(`cannot read ${path}: want ${names.length} values for ${protocol}, got fewer`)
      writeField(scanner, fields.find(protocol, name), writer, path)
    }
  }
}

// `Ip6InReceives 12`: the protocol ends at its 6.
function writePairs(scanner: ByteScanner, fields: FieldTable, writer: MetricWriter, path: string): void {
  while (scanner.nextLine()) {
    if (!scanner.nextField()) continue
    const text = scanner.text()
    const six = text.indexOf('6')
    if (six < 0 || !scanner.nextField()) continue
    writeField(scanner, fields.find(text.slice(0, six + 1), text.slice(six + 1)), writer, path)
  }
}

function writeField(scanner: ByteScanner, field: Field | undefined, writer: MetricWriter, path: string): void {
  if (field === undefined) return
  // A few fields are signed (Tcp MaxConn is -1).
  const value = parseGoFloat(scanner.text())
  if (value === undefined) throw new Error(`cannot read ${path}: want a number, got ${JSON.stringify(scanner.text())}`)
  writer.family(field.metric, field.help, 'untyped')
  writer.sample(value)
}

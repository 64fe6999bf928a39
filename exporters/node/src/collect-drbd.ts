import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { parseGoFloat } from '@narthex/model/number'
import type { NodeEnvironment } from './environment.ts'

interface Field {
  readonly metric: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly factor: number
}

const counter = (metric: string, help: string, factor = 1): Field => ({ metric, type: 'counter', help, factor })
const gauge = (metric: string, help: string, factor = 1): Field => ({ metric, type: 'gauge', help, factor })

/** Numbers of /proc/drbd (DRBD 8) by their keys. */
const numbers = new Map<string, Field>([
  ['ns', counter('network_sent_bytes_total', 'Bytes sent to the peer.', 1024)],
  // In KiB as `ns` is, but the original does not multiply it.
  ['nr', counter('network_received_bytes_total', 'Volume received from the peer.')],
  ['dw', counter('disk_written_bytes_total', 'Bytes written to the local disk.', 1024)],
  ['dr', counter('disk_read_bytes_total', 'Bytes read from the local disk.', 1024)],
  ['al', counter('activitylog_writes_total', 'Updates of the activity log.')],
  ['bm', counter('bitmap_writes_total', 'Updates of the bitmap.')],
  ['lo', gauge('local_pending', 'Requests that wait for the local disk.')],
  ['pe', gauge('remote_pending', 'Requests that wait for the peer.')],
  ['ua', gauge('remote_unacknowledged', 'Requests of the peer that wait for us.')],
  ['ap', gauge('application_pending', 'Requests of applications that wait for DRBD.')],
  ['ep', gauge('epochs', 'Epochs on the fly.')],
  ['oos', gauge('out_of_sync_bytes', 'Bytes that are out of sync.', 1024)],
])

/** Pairs `LOCAL/REMOTE` by their keys, with the word that counts as 1. */
const pairs = new Map<string, readonly [metric: string, help: string, good: string]>([
  ['ro', ['node_role_is_primary', 'Whether the node is the primary one.', 'Primary']],
  ['ds', ['disk_state_is_up_to_date', "Whether the node's disk is up to date.", 'UpToDate']],
])

export function createDrbdCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('drbd')

  // ` 1: cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate C r-----`, then `    ns:17324442 nr:10961 dw:…`
  function collect({ writer }: CollectContext): void {
    scanner.load(readFile())
    let device = 'unknown'
    while (scanner.nextLine()) {
      while (scanner.nextField()) {
        const [key = '', value = '', ...rest] = scanner.text().split(':')
        if (rest.length > 0) continue
        const number = numbers.get(key)
        const pair = pairs.get(key)
        if (value === '' && /^[0-9]+$/.test(key)) device = `drbd${Number(key)}`
        else if (number !== undefined) {
          const amount = parseGoFloat(value)
          if (amount === undefined) throw new Error(`cannot read ${path}: want a number for ${key}, got ${JSON.stringify(value)}`)
          writer.family(`node_drbd_${number.metric}`, number.help, number.type)
          writer.sample(amount * number.factor, ['device', device])
        } else if (pair !== undefined) {
          const [metric, help, good] = pair
          const [local, remote] = value.split('/')
          writer.family(`node_drbd_${metric}`, help, 'gauge')
          writer.sample(local === good ? 1 : 0, ['device', device, 'node', 'local'])
          writer.sample(remote === good ? 1 : 0, ['device', device, 'node', 'remote'])
        } else if (key === 'cs') {
          writer.family('node_drbd_connected', 'Whether the peer is connected.', 'gauge')
          writer.sample(value === 'Connected' ? 1 : 0, ['device', device])
        }
      }
    }
  }

  function readFile(): Buffer {
    try {
      return files.read(path)
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error
      throw new NoDataError('DRBD is not loaded', { cause: error })
    }
  }

  return { name: 'drbd', defaultOn: false, collect }
}

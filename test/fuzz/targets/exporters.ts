import { parseStubStatus } from '@narthex/exporter-nginx/stub-status'
import { parseClusterNodes } from '@narthex/exporter-redis/cluster-nodes'
import { writeClients } from '@narthex/exporter-redis/collect-clients'
import { writeConfig } from '@narthex/exporter-redis/collect-config'
import { writeInfo } from '@narthex/exporter-redis/collect-info'
import { writeLatencyHistograms, writeLatencySpikes } from '@narthex/exporter-redis/collect-latency'
import { writeModules } from '@narthex/exporter-redis/collect-modules'
import { writeCommandlog, writeSlowlog } from '@narthex/exporter-redis/collect-slowlog'
import { writeTile38 } from '@narthex/exporter-redis/collect-tile38'
import { RespReader, type RespValue } from '@narthex/exporter-redis/resp-reader'
import { itemsOf, textOf } from '@narthex/exporter-redis/resp-value'
import { FamilyNames, TargetWriter } from '@narthex/exporter-redis/target-writer'
import { CommandTable } from '@narthex/exporter-redis/command-table'
import { eachPiece, encode, ensure, type FuzzTarget } from '../fuzz-target.ts'

/** All replies in the bytes, taken in pieces of a size. */
function readReplies(bytes: Uint8Array, pieceBytes: number): readonly RespValue[] {
  const replies: RespValue[] = []
  const reader = new RespReader((reply) => void replies.push(reply))
  eachPiece(bytes, pieceBytes, (piece) => reader.push(piece))
  return replies
}

const redisInfo = `# Server
redis_version:7.0.15
uptime_in_seconds:12
# Commandstats
cmdstat_config|get:calls=1,usec=2,usec_per_call=2.00,rejected_calls=0,failed_calls=0
# Latencystats
latency_percentiles_usec_config|get:p50=1.003,p99=2.007,p99.9=3
# Errorstats
errorstat_ERR:count=4
# Replication
role:master
slave0:ip=10.0.0.1,port=6379,state=online,offset=1,lag=0
# Sentinel
master0:name=a,status=ok,address=127.0.0.1:6379,slaves=1,sentinels=1
# Keyspace
db0:keys=1,expires=0,avg_ttl=3000,subexpiry=0
`

const commands = new CommandTable()
const nowhere = new TargetWriter({ family: () => undefined, sample: () => undefined }, new FamilyNames('redis'))

const bulk = (value: string): string => `$${Buffer.byteLength(value)}\r\n${value}\r\n`
const array = (...items: readonly string[]): string => `*${items.length}\r\n${items.join('')}`
const redisReplies = [
  array(...['maxmemory', '0', 'databases', '16', 'requirepass', 'x', 'client-output-buffer-limit', 'normal 0 0 0 slave 1 2 60'].map(bulk)),
  array(array(bulk('command'), ':1700000000\r\n', ':251\r\n', ':1001\r\n')),
  array(bulk('set'), array(bulk('calls'), ':9\r\n', bulk('histogram_usec'), array(':1\r\n', ':4\r\n', ':2\r\n', ':9\r\n'))),
  `:7\r\n${array(array(':6\r\n', ':1700000000\r\n', ':12000\r\n', array(bulk('GET'), bulk('k'))))}`,
  bulk('id=3 addr=[::1]:5000 name= age=1 idle=0 flags=N db=0 sub=0 qbuf=26 omem=0 tot-mem=100 user=default resp=2\n'),
  bulk('# Modules\r\nmodule:name=ReJSON,ver=20000,api=1,filters=0,usedby=[search],using=[],options=[x]\r\nsearch_version:2.0\r\n'),
  bulk(
    '07c3 127.0.0.1:30004@31004,h slave e7d1 0 1426238317239 4 connected\ne7d1 [::1]:30001@31001 myself,master - 0 0 1 connected 0-5460 [93-<-id]\n',
  ),
]

/** All that reads replies gets each of them. */
function writeReply(reply: RespValue): void {
  const text = textOf(reply) ?? ''
  writeConfig(nowhere, reply, { includesConfig: true, redactsConfig: true })
  writeLatencySpikes(nowhere, reply)
  writeLatencyHistograms(nowhere, reply, commands)
  writeSlowlog(nowhere, 1, reply)
  writeCommandlog(nowhere, itemsOf(reply), reply)
  writeClients(nowhere, reply, true, 1_700_000_000_000)
  writeModules(nowhere, Buffer.from(text))
  for (const { address } of parseClusterNodes(text, 'own')) {
    const port = /:(\d+)$/.exec(address)?.[1]
    ensure(Number(port) > 0 && Number(port) <= 65_535, `a node is at ${address}`)
  }
  writeTile38(nowhere, reply)
}

export const exporterTargets: readonly FuzzTarget[] = [
  {
    name: 'resp',
    seeds: [
      encode('*3\r\n$5\r\nhello\r\n:42\r\n*2\r\n$-1\r\n*0\r\n+OK\r\n-ERR no\r\n$0\r\n\r\n'),
      encode('*2\r\n*1\r\n*1\r\n*1\r\n:-1\r\n*-1\r\n'),
    ],
    refusals: ['RespProtocolError'],
    read: (bytes) => {
      const whole = readReplies(bytes, bytes.length)
      const pieces = readReplies(bytes, 3)
      ensure(JSON.stringify(whole) === JSON.stringify(pieces), 'replies differ between one piece and many')
    },
  },
  {
    name: 'redis-info',
    seeds: [encode(redisInfo)],
    refusals: [],
    read: (bytes) => {
      writeInfo(nowhere, Buffer.from(bytes), { databases: 16, includesEmptyDatabases: true, includesSystem: true, nowMs: 0, commands })
    },
  },
  {
    name: 'redis-replies',
    seeds: redisReplies.map(encode),
    // The second is the server's own refusal, passed on.
    refusals: ['RespProtocolError', 'Error'],
    read: (bytes) => readReplies(bytes, bytes.length).forEach(writeReply),
  },
  {
    name: 'stub-status',
    seeds: [encode('Active connections: 2 \nserver accepts handled requests\n 2 2 3 \nReading: 0 Writing: 1 Waiting: 1 \n')],
    refusals: ['Error'],
    read: (bytes) => void parseStubStatus(bytes),
  },
]

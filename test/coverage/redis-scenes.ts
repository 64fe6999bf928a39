import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../kit/packages.ts'
import { waitFor } from '../kit/process.ts'
import { startRedis, type Service } from '../kit/services.ts'
import type { Scene } from './assess.ts'
import { playScene } from './scene.ts'

const fill = [
  'SET number 1.5',
  'SET text hello',
  'RPUSH list 1 2 3',
  'XADD stream 5-1 f v',
  'XADD stream 6-0 f v',
  'XGROUP CREATE stream g 0',
  'XREADGROUP GROUP g c COUNT 1 STREAMS stream >',
  'SET user:1 abc EX 1000',
]

const keyFlags = [
  'check-keys=*',
  'check-single-keys=number',
  'count-keys=*',
  'check-streams=s*',
  'check-single-streams=stream',
  'check-key-groups=^(user)',
]
const switchFlags = ['export-client-list', 'include-system-metrics', 'include-config-metrics', 'ping-on-connect']

/** A primary with default flags and with all of them, its replica, a node of a cluster, a sentinel. */
export async function playRedisScenes(): Promise<Scene[]> {
  const services: Service[] = []
  const keep = async (starting: Promise<Service>): Promise<Service> => {
    const service = await starting
    services.push(service)
    return service
  }
  try {
    const latency = ['--latency-tracking', 'yes', '--latency-monitor-threshold', '1', '--slowlog-log-slower-than', '0']
    const primary = await keep(startRedis([...latency, '--repl-diskless-sync-delay', '0']))
    const replica = await keep(startRedis(['--replicaof', '127.0.0.1', String(primary.port)]))
    const cluster = await keep(startRedis(['--cluster-enabled', 'yes']))
    const sentinel = await keep(startSentinel(primary))
    await waitFor('the replica to be linked', () => ask(replica, 'INFO replication').includes('master_link_status:up'))
    await waitFor('the sentinel to know the primary', () => ask(sentinel, 'SENTINEL masters').includes('num-slaves'))
    for (const command of fill) ask(primary, command)
    ask(cluster, 'CLUSTER ADDSLOTSRANGE 0 16383')
    await waitFor('the cluster to be ok', () => ask(cluster, 'CLUSTER INFO').includes('cluster_state:ok'))
    const script = join(primary.directory, 'script.lua')
    writeFileSync(script, "return {'a', '1'}")
    const scene = (name: string, service: Service, flags: readonly string[] = [], isDefault = true) =>
      playScene({
        name,
        isDefault,
        exporter: 'redis',
        original: 'prometheus-redis-exporter',
        flags: [`--redis.addr=redis://127.0.0.1:${service.port}`, ...flags.map((flag) => `--${flag}`)],
      })
    return [
      await scene('primary', primary),
      await scene('replica', replica),
      await scene('cluster node', cluster),
      await scene('sentinel', sentinel),
      await scene('all flags', primary, [...keyFlags, ...switchFlags, `script=${script}`], false),
    ]
  } finally {
    await Promise.all(services.map((service) => service.stop()))
  }
}

/** The configuration file has to come first, and the sentinel writes into it. */
function startSentinel(primary: Service): Promise<Service> {
  const path = join(primary.directory, 'sentinel.conf')
  writeFileSync(path, `dir ${primary.directory}\nsentinel monitor mymaster 127.0.0.1 ${primary.port} 1\n`)
  return startRedis(['--sentinel'], path)
}

function ask(service: Service, command: string): string {
  const client = findProgram('redis-cli')
  if (client === undefined) throw new Error('cannot fill Redis: redis-cli is not installed')
  const { status, stdout, stderr } = spawnSync(client, ['-p', String(service.port), ...command.split(' ')], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`cannot run redis-cli ${command}: ${stderr}`)
  return stdout
}

import { createContainerExporter } from '@narthex/exporter-container/container-exporter'
import { createContainerdEngine } from '@narthex/exporter-container/engines/containerd-engine'
import { createCrioEngine } from '@narthex/exporter-container/engines/crio-engine'
import { createDockerEngine } from '@narthex/exporter-container/engines/docker-engine'
import { EngineClient } from '@narthex/exporter-container/engines/engine-client'
import { KubeletPods } from '@narthex/exporter-container/kubelet-pods'
import { field, numberField, readAnswer, startFakeEngine, startFakeGrpc } from '@narthex/exporter-container/test-engines'
import { unpackTestTree } from '@narthex/exporter-container/test-tree'
import { silentLogger } from '@narthex/service/logger'
import { createServer, type Server } from 'node:http'
import { ExporterOfFiles } from '../exporter-of-files.ts'
import { decode, encode, ensure, type FuzzTarget } from '../fuzz-target.ts'
import { mutate } from '../mutate.ts'

/** Answers of engines are asked for over sockets. */
const share = 150
const id = 'a'.repeat(64)

let httpEngine: ReturnType<typeof startFakeEngine> | undefined
async function askEngines(bytes: Uint8Array): Promise<void> {
  const engine = await (httpEngine ??= startFakeEngine({}))
  const { routes } = engine
  for (const path of [`/containers/${id}/json`, `/containers/${id}`, '/containers/json', '/events', '/version']) {
    routes[path] = (_, response) => void response.end(bytes)
  }
  const client = new EngineClient('docker', engine.endpoint, undefined, 'fuzz')
  const docker = createDockerEngine({ name: 'docker', client, envPrefixes: ['A'] })
  const signal = AbortSignal.timeout(10_000)
  const questions = [
    docker.find(id, signal),
    createCrioEngine(client).find(id, signal),
    docker.findHealthy?.(signal),
    docker.findEvents?.(0, 2e12, signal),
    docker.findVersion?.(signal),
  ]
  const answers = await Promise.allSettled(questions.map((question) => Promise.resolve(question)))
  await client.close()
  // What answers one question is refused as the answer to another.
  for (const answer of answers) if (answer.status === 'rejected' && (answer.reason as Error).name !== 'Error') throw answer.reason
}

let grpcEngine: ReturnType<typeof startFakeGrpc> | undefined
async function askContainerd(bytes: Uint8Array): Promise<void> {
  const grpc = await (grpcEngine ??= startFakeGrpc(() => bytes))
  grpc.answer = () => bytes
  const engine = createContainerdEngine({ socketPath: grpc.socketPath, namespace: 'k8s.io', envPrefixes: ['A'] })
  try {
    const found = await engine.find(id, AbortSignal.timeout(10_000))
    ensure(found === undefined || Number.isSafeInteger(found.processId), `process id ${found?.processId}`)
  } finally {
    await engine.close()
  }
}

/** A kubelet on a port of this machine. */
class RudeKubelet {
  #server: Server | undefined
  #body: Uint8Array = new Uint8Array(0)

  async say(body: Uint8Array): Promise<string> {
    this.#body = body
    if (this.#server === undefined) {
      this.#server = createServer((_, response) => void response.end(this.#body))
      await new Promise<void>((resolve) => this.#server!.listen(0, '127.0.0.1', resolve))
    }
    const address = this.#server.address()
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  }

  close(): void {
    this.#server?.closeAllConnections()
    this.#server?.close()
    this.#server = undefined
  }
}

const kubelet = new RudeKubelet()

function cgroupExporter(version: 'v1' | 'v2', names: readonly string[]): ExporterOfFiles {
  return new ExporterOfFiles(names, () => {
    const tree = unpackTestTree(version)
    const exporter = createContainerExporter({
      flags: { docker: '', podman: '', containerd: '', crio: '', disable_metrics: '' },
      root: tree.directory,
      log: silentLogger,
      buildInfo: { version: 'test', revision: 'r', branch: 'b' },
    })
    return { directory: tree.directory, exporter, remove: () => tree.remove() }
  })
}

const cgroup = 'sys/fs/cgroup/kubepods.slice'
const version1 = cgroupExporter('v1', [
  ...['proc/self/mountinfo', 'proc/meminfo', 'proc/cpuinfo', 'proc/diskstats', 'proc/101/net/dev', 'proc/101/net/tcp', 'proc/101/net/udp'],
  ...['proc/101/net/snmp', 'proc/101/net/netstat', 'proc/101/limits', 'proc/101/schedstat', 'proc/101/stat', 'proc/101/smaps'],
  ...['sys/devices/system/cpu/online', 'sys/devices/system/node/node0/meminfo', 'sys/fs/cgroup/cpu/cgroup.procs'],
])
const version2 = cgroupExporter('v2', [
  ...['cpu.stat', 'cpu.pressure', 'cpu.weight', 'cpu.max', 'memory.stat', 'memory.numa_stat', 'memory.current', 'memory.max'].map(inCgroup),
  ...['memory.min', 'memory.swap.max', 'memory.events', 'io.stat', 'pids.max', 'cgroup.procs', 'cgroup.threads', 'cgroup.events'].map(
    inCgroup,
  ),
  ...['proc/self/mountinfo', 'proc/uptime', 'proc/201/net/dev'],
])

function inCgroup(name: string): string {
  return `${cgroup}/${name}`
}

function cgroupTarget(name: string, exporter: ExporterOfFiles): FuzzTarget {
  return {
    name,
    get seeds() {
      return exporter.seeds()
    },
    refusals: [],
    share,
    make(random) {
      const seeds = exporter.seeds()
      const seed = seeds[random.below(seeds.length)]!
      return Uint8Array.from([seed[0]!, ...mutate([seed.subarray(1)], random)])
    },
    read: (bytes) => exporter.scrape(bytes),
    close: () => exporter.close(),
  }
}

const containerdLabel = field(2, Buffer.concat([field(1, 'io.kubernetes.pod.name'), field(2, 'web-0')]))
const containerdSpec = field(5, Buffer.concat([field(1, 'types'), field(2, '{"process":{"env":["A=front","HOME=/"]}}')]))
const containerdTime = field(8, Buffer.concat([numberField(1, 1_767_323_045), numberField(2, 5)]))

export const containerTargets: readonly FuzzTarget[] = [
  {
    name: 'engine-answers',
    seeds: [
      ...['docker/web.json', 'crio/container.json'].map((name) => encode(readAnswer(name))),
      encode(`[{"Id":"${id}"}]`),
      encode(`{"Action":"die","Actor":{"ID":"${id}","Attributes":{"exitCode":"137","name":"web"}},"timeNano":1767323045000000000}\n`),
    ],
    refusals: [],
    isJson: true,
    share,
    read: askEngines,
    close: async () => (await httpEngine)?.close(),
  },
  {
    name: 'containerd-answers',
    seeds: [
      field(1, Buffer.concat([field(1, 'x'), containerdLabel, field(3, 'registry.example/app:2'), containerdSpec, containerdTime])),
      field(1, Buffer.concat([field(1, 'x'), numberField(3, 204), numberField(4, 2)])),
    ],
    // Of the reader of messages that end too early.
    refusals: ['Error', 'RangeError'],
    share,
    read: askContainerd,
    close: async () => (await grpcEngine)?.close(),
  },
  {
    name: 'kubelet-pods',
    seeds: [encode(readAnswer('kubelet/pods.json'))],
    // What is wrong with an answer goes to the log.
    refusals: [],
    isJson: true,
    share,
    async read(bytes) {
      const pods = new KubeletPods(await kubelet.say(bytes), silentLogger, () => 0)
      await pods.update([], 10_000)
      await pods.close()
      ensure(pods.findContainer('nobody') === undefined || decode(bytes).includes('nobody'), 'a container that nobody has told of')
    },
    close: () => kubelet.close(),
  },
  cgroupTarget('cgroups-v1', version1),
  cgroupTarget('cgroups-v2', version2),
]

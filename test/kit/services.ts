import { spawnSync } from 'node:child_process'
import { Resolver } from 'node:dns/promises'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { findProgram } from './packages.ts'
import { answersOk, findFreePort, makeTemporaryDirectory, startProcess, waitFor, type RunningProcess } from './process.ts'

// Real servers, each on a free loopback port with a private directory, ended by its process id.

export interface Service {
  readonly name: string
  readonly url: string
  readonly port: number
  readonly directory: string
  readonly process: RunningProcess
  stop(): Promise<void>
}

interface Start {
  name: string
  /** The name of an installed program, or a path. */
  binary: string
  scheme?: string
  args: (port: number, directory: string) => string[] | Promise<string[]>
  ready: (service: { port: number; url: string; directory: string }) => Promise<boolean> | boolean
  /** A port that the test chose; default: a free one. */
  port?: number
  timeoutMs?: number
  stopMs?: number
  environment?: Readonly<Record<string, string>>
  /** Called when the process is gone. */
  beforeRemove?: (directory: string) => void
}

async function startService(start: Start): Promise<Service> {
  const path = start.binary.includes('/') ? start.binary : findProgram(start.binary)
  if (!path) throw new Error(`cannot start ${start.name}: ${start.binary} is not installed`)
  const port = start.port ?? (await findFreePort())
  const temporary = makeTemporaryDirectory(`narthex-${start.name}-`)
  const url = `${start.scheme ?? 'http'}://127.0.0.1:${port}`
  const directory = temporary.path
  const running = startProcess(path, await start.args(port, directory), { cwd: directory, env: { ...process.env, ...start.environment } })
  const service: Service = {
    name: start.name,
    url,
    port,
    directory,
    process: running,
    async stop() {
      await running.stop(start.stopMs)
      start.beforeRemove?.(directory)
      temporary.remove()
    },
  }
  try {
    const options = { process: running, ...(start.timeoutMs === undefined ? {} : { timeoutMs: start.timeoutMs }) }
    await waitFor(`${start.name} to be ready`, () => start.ready({ port, url, directory }), options)
  } catch (error) {
    await service.stop()
    throw error
  }
  return service
}

export interface PrometheusOptions {
  config: string
  args?: readonly string[]
  agent?: boolean
  /** Default: a free one. */
  port?: number
  /** A data directory that is there; default: an empty one. */
  data?: string
  /** The path of another Prometheus than Debian's. */
  binary?: string
  /** Further files for the data directory's parent: name → text. */
  files?: Readonly<Record<string, string>>
}

/** Debian's Prometheus or another, remote-write receiver on; data under `directory/data` unless a directory is given. */
export function startPrometheus(options: PrometheusOptions): Promise<Service> {
  return startService({
    name: options.agent ? 'prometheus-agent' : 'prometheus',
    binary: options.binary ?? 'prometheus',
    ...(options.port === undefined ? {} : { port: options.port }),
    args: (port, directory) => {
      writeFileSync(join(directory, 'prometheus.yml'), options.config)
      for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(directory, name), text)
      const storage = options.agent
        ? ['--enable-feature=agent', `--storage.agent.path=${directory}/data`]
        : [`--storage.tsdb.path=${options.data ?? join(directory, 'data')}`, '--web.enable-remote-write-receiver', '--web.enable-lifecycle']
      const listen = [`--config.file=${directory}/prometheus.yml`, `--web.listen-address=127.0.0.1:${port}`]
      return [...listen, ...storage, ...(options.args ?? [])]
    },
    ready: ({ url }) => answersOk(`${url}/-/ready`),
  })
}

export function startAlertmanager(config: string, args: readonly string[] = []): Promise<Service> {
  return startService({
    name: 'alertmanager',
    binary: 'prometheus-alertmanager',
    args: (port, directory) => {
      writeFileSync(join(directory, 'alertmanager.yml'), config)
      const listen = [`--config.file=${directory}/alertmanager.yml`, `--web.listen-address=127.0.0.1:${port}`]
      return [...listen, `--storage.path=${directory}/data`, '--cluster.listen-address=', ...args]
    },
    ready: ({ url }) => answersOk(`${url}/-/ready`),
  })
}

export function startPushgateway(): Promise<Service> {
  return startService({
    name: 'pushgateway',
    binary: 'prometheus-pushgateway',
    args: (port) => [`--web.listen-address=127.0.0.1:${port}`],
    ready: ({ url }) => answersOk(`${url}/-/ready`),
  })
}

export function startNodeExporter(args: readonly string[] = []): Promise<Service> {
  return startService({
    name: 'node-exporter',
    binary: 'prometheus-node-exporter',
    args: (port) => [`--web.listen-address=127.0.0.1:${port}`, ...args],
    ready: ({ url }) => answersOk(`${url}/metrics`),
  })
}

export function startMysqldExporter(mysql: Pick<Service, 'directory'>, flags: readonly string[] = []): Promise<Service> {
  return startService({
    name: 'mysqld-exporter',
    binary: 'prometheus-mysqld-exporter',
    environment: { DATA_SOURCE_NAME: `root:@unix(${mysql.directory}/s.sock)/` },
    args: (port) => [`--web.listen-address=127.0.0.1:${port}`, ...flags],
    ready: ({ url }) => answersOk(`${url}/metrics`),
  })
}

export function startRedisExporter(redis: Service): Promise<Service> {
  return startService({
    name: 'redis-exporter',
    binary: 'prometheus-redis-exporter',
    args: (port) => [`-web.listen-address=127.0.0.1:${port}`, `-redis.addr=redis://127.0.0.1:${redis.port}`],
    ready: ({ url }) => answersOk(`${url}/metrics`),
  })
}

export function startNginxExporter(nginx: Service): Promise<Service> {
  return startService({
    name: 'nginx-exporter',
    binary: 'prometheus-nginx-exporter',
    args: (port) => [`-web.listen-address=127.0.0.1:${port}`, `-nginx.scrape-uri=${nginx.url}/stub_status`],
    ready: ({ url }) => answersOk(`${url}/metrics`),
  })
}

export function startVictoriaMetrics(args: readonly string[] = []): Promise<Service> {
  return startService({
    name: 'victoria-metrics',
    binary: 'victoria-metrics',
    args: (port, directory) => [`-storageDataPath=${directory}/data`, `-httpListenAddr=127.0.0.1:${port}`, '-retentionPeriod=12', ...args],
    ready: ({ url }) => answersOk(`${url}/health`),
    stopMs: 10_000,
  })
}

export function startVmagent(config: string, remoteWriteUrl: string, args: readonly string[] = []): Promise<Service> {
  return startService({
    name: 'vmagent',
    binary: 'vmagent',
    args: (port, directory) => {
      writeFileSync(join(directory, 'prometheus.yml'), config)
      const scrape = [`-promscrape.config=${directory}/prometheus.yml`, `-httpListenAddr=127.0.0.1:${port}`]
      return [...scrape, `-remoteWrite.url=${remoteWriteUrl}`, `-remoteWrite.tmpDataPath=${directory}/queue`, ...args]
    },
    ready: ({ url }) => answersOk(`${url}/health`),
    stopMs: 10_000,
  })
}

/** A MariaDB with performance_schema; root has no password. `extra` goes behind the other arguments. */
export function startMariadb(extra: readonly string[] = []): Promise<Service> {
  return startService({
    name: 'mariadb',
    binary: 'mariadbd',
    scheme: 'mysql',
    timeoutMs: 60_000,
    stopMs: 15_000,
    args: (port, directory) => {
      // The server refuses to run as root: user mysql must be able to enter and own the directory.
      chmodSync(directory, 0o755)
      const user = process.getuid?.() === 0 ? ['--user=mysql'] : []
      const data = join(directory, 'data')
      mkdirSync(data)
      if (user.length > 0) spawnSync('chown', ['-R', 'mysql', directory])
      const install = findProgram('mariadb-install-db') ?? 'mariadb-install-db'
      const made = spawnSync(install, [...user, `--datadir=${data}`, '--auth-root-authentication-method=normal'], { encoding: 'utf8' })
      if (made.status !== 0) throw new Error(`cannot create a MariaDB data directory: ${made.stderr}${made.stdout}`)
      const listen = [`--socket=${directory}/s.sock`, `--port=${port}`, '--bind-address=127.0.0.1']
      return ['--no-defaults', ...user, `--datadir=${data}`, ...listen, '--performance-schema=on', ...extra]
    },
    ready: ({ port }) => readsFirstByte(port),
  })
}

/** `configFile` is there already; flags come after it. */
export function startRedis(args: readonly string[] = [], configFile?: string): Promise<Service> {
  return startService({
    name: 'redis',
    binary: 'redis-server',
    scheme: 'redis',
    args: (port, directory) => [
      ...(configFile === undefined ? [] : [configFile]),
      ...['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory, ...args],
    ],
    ready: ({ port }) => readsFirstByte(port, 'PING\r\n'),
  })
}

/** NGINX with stub_status at /stub_status; `extra` is put inside the server block. */
export function startNginx(extra = ''): Promise<Service> {
  return startService({
    name: 'nginx',
    binary: 'nginx',
    args: (port, directory) => {
      const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${directory}/${kind};`).join(' ')
      const server = `server { listen 127.0.0.1:${port}; location /stub_status { stub_status; } ${extra} }`
      const http = `http { access_log ${directory}/access.log; ${paths} ${server} }`
      writeFileSync(
        join(directory, 'nginx.conf'),
        `daemon off; pid ${directory}/n.pid; error_log ${directory}/error.log; worker_processes 1; events {} ${http}\n`,
      )
      return ['-c', join(directory, 'nginx.conf'), '-e', join(directory, 'error.log')]
    },
    ready: ({ url }) => answersOk(`${url}/stub_status`),
  })
}

/** dockerd on a unix socket of its own (`directory/docker.sock`), its own containerd, no default bridge to the host's. */
export function startDocker(): Promise<Service> {
  return startService({
    name: 'docker',
    binary: 'dockerd',
    scheme: 'unix',
    timeoutMs: 60_000,
    stopMs: 20_000,
    args: (_port, directory) => [
      `--host=unix://${directory}/docker.sock`,
      `--data-root=${directory}/data`,
      `--exec-root=${directory}/exec`,
      `--pidfile=${directory}/docker.pid`,
      '--bridge=none',
      '--iptables=false',
      '--storage-driver=vfs',
    ],
    ready: ({ directory }) => existsSync(`${directory}/docker.sock`) && pingUnix(`${directory}/docker.sock`, '/_ping'),
    beforeRemove: unmountBelow,
  })
}

/** Flags that keep Podman to a directory of its own. */
export function podmanFlags(directory: string): string[] {
  const places = [`--root=${directory}/root`, `--runroot=${directory}/run`, `--tmpdir=${directory}/tmp`]
  return [
    ...places,
    '--storage-driver=vfs',
    '--cgroup-manager=cgroupfs',
    '--events-backend=file',
    `--runtime=${findProgram('runc') ?? 'runc'}`,
  ]
}

/** Podman's API on a unix socket of its own (`directory/podman.sock`). */
export function startPodman(): Promise<Service> {
  return startService({
    name: 'podman',
    binary: 'podman',
    scheme: 'unix',
    timeoutMs: 60_000,
    stopMs: 20_000,
    args: (_port, directory) => [...podmanFlags(directory), 'system', 'service', '--time=0', `unix://${directory}/podman.sock`],
    ready: ({ directory }) => existsSync(`${directory}/podman.sock`) && pingUnix(`${directory}/podman.sock`, '/_ping'),
    beforeRemove: unmountBelow,
  })
}

// Engines leave network namespaces and shared memory of their containers mounted.
function unmountBelow(directory: string): void {
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const path = line.split(' ')[1]
    if (path?.startsWith(`${directory}/`)) spawnSync(findProgram('umount') ?? 'umount', [path])
  }
}

/** A DNS server that knows only what `args` say (`--address=/a.test/127.0.0.1`, `--srv-host=…`) and the hosts file `directory/hosts` (SIGHUP reads it again). */
export function startDnsmasq(args: readonly string[], hosts = ''): Promise<Service> {
  return startService({
    name: 'dnsmasq',
    binary: 'dnsmasq',
    scheme: 'dns',
    args: (port, directory) => {
      // The server gives up root and must still be able to read the file.
      chmodSync(directory, 0o755)
      writeFileSync(join(directory, 'hosts'), hosts)
      const own = ['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', `--addn-hosts=${directory}/hosts`]
      const listen = [`--port=${port}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--pid-file=']
      return [...own, ...listen, '--address=/ready.dnsmasq/127.0.0.1', ...args]
    },
    async ready({ port }) {
      const resolver = new Resolver({ timeout: 500, tries: 1 })
      resolver.setServers([`127.0.0.1:${port}`])
      return (await resolver.resolve4('ready.dnsmasq')).length > 0
    },
  })
}

export interface EtcdOptions {
  readonly args?: readonly string[]
  /** Data of an earlier server and its port: a restart. */
  readonly port?: number
  readonly data?: string
  /** Paths of PEM files: clients must use TLS. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

/** One etcd that is a cluster of its own; data under `directory/data` unless an earlier server's are named. */
export async function startEtcd(options: EtcdOptions = {}): Promise<Service> {
  const scheme = options.tls === undefined ? 'http' : 'https'
  const peer = `http://127.0.0.1:${await findFreePort()}`
  const metrics = `http://127.0.0.1:${await findFreePort()}`
  return startService({
    name: 'etcd',
    binary: 'etcd',
    scheme,
    ...(options.port === undefined ? {} : { port: options.port }),
    args: (port, directory) => {
      const client = `${scheme}://127.0.0.1:${port}`
      const listen = [`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`, `--listen-peer-urls=${peer}`]
      const cluster = [`--initial-advertise-peer-urls=${peer}`, `--initial-cluster=default=${peer}`, `--listen-metrics-urls=${metrics}`]
      const tls = options.tls === undefined ? [] : [`--cert-file=${options.tls.cert}`, `--key-file=${options.tls.key}`]
      return [`--data-dir=${options.data ?? `${directory}/data`}`, ...listen, ...cluster, ...tls, ...(options.args ?? [])]
    },
    ready: () => answersOk(`${metrics}/health`),
  })
}

function readsFirstByte(port: number, send?: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const end = (ok: boolean) => {
      socket.destroy()
      resolve(ok)
    }
    socket.setTimeout(2_000, () => end(false))
    socket.once('error', () => end(false))
    socket.once('data', () => end(true))
    if (send) socket.once('connect', () => socket.write(send))
  })
}

function pingUnix(socketPath: string, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path, timeout: 2_000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    call.once('error', () => resolve(false))
    call.end()
  })
}

import type { TcpListener, UnixListener } from './socket-tables.ts'

/** How a service is spoken to. `metrics` answers a GET of its metrics path itself. */
export type ServiceProtocol = 'mysql' | 'redis' | 'nginx' | 'metrics'

/** What is known of one service: nothing that no rule names is ever connected to. */
export interface ServiceRule {
  /** Name in the configuration, in `__meta_local_service` and, as the default, in `job`. */
  readonly service: string
  readonly protocol: ServiceProtocol
  /** Names of its processes: of the program's file, or as the process calls itself. */
  readonly processNames: readonly string[]
  /** Default ports: a listener there is the service whatever its process is called. */
  readonly ports: readonly number[]
  /** Ports on which its processes listen for something else. */
  readonly otherPorts: readonly number[]
  /** Of protocol `metrics`. */
  readonly metricsPath: string
}

interface RuleOptions {
  readonly processNames?: readonly string[]
  readonly ports?: readonly number[]
  readonly otherPorts?: readonly number[]
  readonly metricsPath?: string
}

function rule(service: string, protocol: ServiceProtocol, options: RuleOptions): ServiceRule {
  const { processNames = [], ports = [], otherPorts = [], metricsPath = '/metrics' } = options
  return { service, protocol, processNames, ports, otherPorts, metricsPath }
}

/** An exporter with its default port; its process may carry a distribution's prefix. */
function exporter(service: string, port: number, names: readonly string[], metricsPath?: string): ServiceRule {
  const processNames = names.flatMap((name) => [name, `prometheus-${name.replaceAll('_', '-')}`])
  return rule(service, 'metrics', { ports: [port], processNames, ...(metricsPath === undefined ? {} : { metricsPath }) })
}

/**
 * The rule table, in the order in which it is read. Ports are the registered or customary ones of the products; ports that many products
 * share (80, 8000, 8080, 9000) are in no rule, so that web servers are not asked for what they do not have.
 */
export const serviceRules: readonly ServiceRule[] = [
  rule('mysql', 'mysql', {
    processNames: ['mysqld', 'mariadbd', 'mysqld-debug'],
    ports: [3306],
    // The X protocol, and what Galera nodes and group replication say to each other.
    otherPorts: [33060, 33061, 4444, 4567, 4568],
  }),
  rule('redis', 'redis', {
    processNames: ['redis-server', 'redis-sentinel', 'valkey-server', 'valkey-sentinel', 'keydb-server'],
    ports: [6379, 26379],
  }),
  rule('nginx', 'nginx', { processNames: ['nginx', 'openresty', 'freenginx', 'angie'] }),
  exporter('node', 9100, ['node_exporter']),
  exporter('mysqld_exporter', 9104, ['mysqld_exporter']),
  exporter('redis_exporter', 9121, ['redis_exporter']),
  exporter('nginx_exporter', 9113, ['nginx-prometheus-exporter', 'nginx_exporter']),
  exporter('postgres', 9187, ['postgres_exporter']),
  exporter('memcached', 9150, ['memcached_exporter']),
  exporter('mongodb', 9216, ['mongodb_exporter']),
  exporter('elasticsearch', 9114, ['elasticsearch_exporter']),
  exporter('haproxy', 9101, ['haproxy_exporter']),
  exporter('consul_exporter', 9107, ['consul_exporter']),
  exporter('graphite', 9108, ['graphite_exporter']),
  exporter('statsd', 9102, ['statsd_exporter']),
  exporter('collectd', 9103, ['collectd_exporter']),
  exporter('influxdb', 9122, ['influxdb_exporter']),
  exporter('bind', 9119, ['bind_exporter']),
  exporter('blackbox', 9115, ['blackbox_exporter']),
  exporter('snmp', 9116, ['snmp_exporter']),
  exporter('apache', 9117, ['apache_exporter']),
  exporter('php_fpm', 9253, ['php-fpm_exporter', 'php-fpm-exporter']),
  exporter('pgbouncer', 9127, ['pgbouncer_exporter']),
  exporter('process', 9256, ['process-exporter', 'process_exporter']),
  exporter('kafka', 9308, ['kafka_exporter']),
  exporter('zookeeper', 9141, ['zookeeper_exporter']),
  exporter('rabbitmq', 9419, ['rabbitmq_exporter']),
  rule('rabbitmq', 'metrics', { ports: [15692] }),
  exporter('varnish', 9131, ['varnish_exporter', 'prometheus_varnish_exporter']),
  exporter('postfix', 9154, ['postfix_exporter']),
  exporter('squid', 9301, ['squid_exporter', 'squid-exporter']),
  exporter('unbound', 9167, ['unbound_exporter']),
  exporter('chrony', 9123, ['chrony_exporter']),
  exporter('smartctl', 9633, ['smartctl_exporter']),
  exporter('ipmi', 9290, ['ipmi_exporter']),
  exporter('wireguard', 9586, ['wireguard_exporter', 'prometheus_wireguard_exporter']),
  exporter('nvidia_gpu', 9835, ['nvidia_gpu_exporter']),
  exporter('dcgm', 9400, ['dcgm-exporter']),
  exporter('windows', 9182, ['windows_exporter']),
  exporter('libvirt', 9177, ['libvirt_exporter']),
  exporter('ceph', 9926, ['ceph-exporter']),
  exporter('systemd', 9558, ['systemd_exporter']),
  exporter('domain', 9222, ['domain_exporter']),
  exporter('json', 7979, ['json_exporter']),
  exporter('sql', 9399, ['sql_exporter']),
  exporter('nats', 7777, ['prometheus-nats-exporter', 'nats_exporter']),
  exporter('kube_state_metrics', 8081, ['kube-state-metrics']),
  exporter('pushgateway', 9091, ['pushgateway']),
  exporter('alertmanager', 9093, ['alertmanager']),
  exporter('prometheus', 9090, ['prometheus']),
  exporter('victoriametrics', 8428, ['victoria-metrics', 'victoria-metrics-prod', 'vmsingle']),
  exporter('vmagent', 8429, ['vmagent', 'vmagent-prod']),
  rule('coredns', 'metrics', { processNames: ['coredns'], ports: [9153] }),
  rule('cadvisor', 'metrics', { processNames: ['cadvisor'] }),
  rule('etcd', 'metrics', { processNames: ['etcd'], ports: [2381], otherPorts: [2380] }),
  rule('grafana', 'metrics', { processNames: ['grafana', 'grafana-server'], ports: [] }),
  rule('loki', 'metrics', { processNames: ['loki'], ports: [3100] }),
  rule('promtail', 'metrics', { processNames: ['promtail'], ports: [9080] }),
  rule('traefik', 'metrics', { processNames: ['traefik'] }),
  rule('minio', 'metrics', { processNames: ['minio'], metricsPath: '/minio/v2/metrics/cluster' }),
]

/** Programs that hold other services' ports: tunnels, forwarders, and the init that starts a service when one connects. */
const holders: ReadonlySet<string> = new Set([
  'systemd',
  'ssh',
  'sshd',
  'docker-proxy',
  'rootlessport',
  'rootlesskit',
  'slirp4netns',
  'pasta',
  'passt',
  'gvproxy',
  'kubectl',
  'socat',
  'stunnel',
  'stunnel4',
  'haproxy',
  'envoy',
  'xinetd',
])

const byName = new Map<string, ServiceRule>()
const byPort = new Map<number, ServiceRule>()
for (const known of serviceRules) {
  for (const name of known.processNames) if (!byName.has(name)) byName.set(name, known)
  for (const port of known.ports) if (!byPort.has(port)) byPort.set(port, known)
}
// The kernel keeps 15 bytes of the name that a process gives itself.
for (const [name, known] of [...byName]) if (name.length > 15 && !byName.has(name.slice(0, 15))) byName.set(name.slice(0, 15), known)

/** Every service name of the table. */
export const serviceNames: ReadonlySet<string> = new Set([...serviceRules.map(({ service }) => service), 'exporter'])

/** Any program that calls itself an exporter; its own name is the service's. */
const anyExporter = rule('exporter', 'metrics', {})

/** The rule of a process by the name of its file or the one it gives itself; undefined when neither is known. */
export function findRuleByName(comm: string, exeName: string): ServiceRule | undefined {
  const known = byName.get(exeName) ?? byName.get(comm)
  if (known !== undefined || isHolder(comm, exeName)) return known
  return /[_-]exporter|exporter[_-]|^exporter$/.test(exeName) || /[_-]exporter/.test(comm) ? anyExporter : undefined
}

/** The rule of a listener on a default port, unless its process only holds the port for somebody else. */
export function findRuleByPort(port: number, comm: string, exeName: string): ServiceRule | undefined {
  return isHolder(comm, exeName) ? undefined : byPort.get(port)
}

function isHolder(comm: string, exeName: string): boolean {
  return holders.has(comm) || holders.has(exeName)
}

/** Of all listeners of a service's process, those on which the service itself is spoken. */
export function chooseListeners(known: ServiceRule, tcp: readonly TcpListener[]): TcpListener[] {
  const ports = new Set(tcp.map(({ port }) => port))
  return tcp.filter(({ port }) => {
    if (known.otherPorts.includes(port)) return false
    // The nodes of a Redis cluster speak among each other 10000 above.
    return known.protocol !== 'redis' || !ports.has(port - 10_000)
  })
}

export function chooseSockets(known: ServiceRule, unix: readonly UnixListener[]): UnixListener[] {
  if (known.protocol === 'mysql') return unix.filter(({ path }) => !/mysqlx|admin/.test(path.slice(path.lastIndexOf('/'))))
  return known.protocol === 'redis' ? [...unix] : []
}

import { boolean, choice, durationMs, filePath, integer, list, map, string, text } from './codec.ts'
import {
  azureDiscovery,
  ec2Discovery,
  gceDiscovery,
  type AzureDiscovery,
  type Ec2Discovery,
  type GceDiscovery,
} from './cloud-discovery-machines.ts'
import { cloudDiscoveries } from './cloud-discovery.ts'
import { consulDiscovery, type ConsulDiscovery } from './consul-discovery.ts'
import { etcdDiscovery, type EtcdDiscovery } from './etcd-discovery.ts'
import { splitGoUrl } from './go-url.ts'
import { httpClientConfig, type HttpClientConfig } from './http-client-config.ts'
import { localDiscovery, type LocalDiscovery } from './local-discovery.ts'
import { convertObject, field, inline, object, optional, type Checker, type ObjectCodec } from './object-codec.ts'
import { checkRefreshInterval, tagged } from './tagged-discovery.ts'
import type { Codec } from './yaml-decode.ts'

/** `static_configs` entry: targets as written, labels without order. */
export interface TargetGroupConfig {
  readonly targets: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

export interface StaticDiscovery {
  readonly mechanism: 'static'
  readonly groups: readonly TargetGroupConfig[]
}

export interface FileDiscovery {
  readonly mechanism: 'file'
  /** Absolute paths or globs (a `*` only in the last path element). */
  readonly files: readonly string[]
  readonly refreshIntervalMs: number
}

export interface HttpDiscovery {
  readonly mechanism: 'http'
  readonly url: string
  readonly refreshIntervalMs: number
  readonly http: HttpClientConfig
}

export interface DnsDiscovery {
  readonly mechanism: 'dns'
  readonly names: readonly string[]
  readonly refreshIntervalMs: number
  readonly type: 'A' | 'AAAA' | 'MX' | 'NS' | 'SRV'
  readonly port: number
}

export type KubernetesRole = 'node' | 'pod' | 'service' | 'endpoints' | 'endpointslice' | 'ingress'

/** What of other objects is put on a target, beside what is its own. */
export interface KubernetesAttachments {
  readonly node: boolean
  readonly namespace: boolean
  readonly deployment: boolean
  readonly job: boolean
  readonly cronjob: boolean
}

export interface KubernetesDiscovery {
  readonly mechanism: 'kubernetes'
  /** For role kubelet the kubelet's URL. */
  readonly apiServer?: string
  /** `kubelet` is Narthex' own: role pod for the pods of one node, asked of its kubelet. */
  readonly role: KubernetesRole | 'kubelet'
  readonly kubeconfigFile?: string
  readonly ownNamespace: boolean
  readonly namespaces: readonly string[]
  readonly selectors: readonly { readonly role: KubernetesRole; readonly label: string; readonly field: string }[]
  readonly attach: KubernetesAttachments
  readonly http: HttpClientConfig
}

export interface DockerDiscovery {
  readonly mechanism: 'docker'
  readonly host: string
  readonly port: number
  readonly filters: readonly { readonly name: string; readonly values: readonly string[] }[]
  readonly hostNetworkingHost: string
  readonly matchFirstNetwork: boolean
  readonly refreshIntervalMs: number
  readonly http: HttpClientConfig
}

/** A mechanism whose fields are checked but that nothing reads yet. */
export interface OtherDiscovery {
  readonly mechanism: 'other'
  /** `vultr_sd_configs` and so on. */
  readonly key: string
  /** Every field as the file names it. */
  readonly config: Readonly<Record<string, unknown>>
}

export type DiscoveryConfig =
  | StaticDiscovery
  | FileDiscovery
  | HttpDiscovery
  | DnsDiscovery
  | KubernetesDiscovery
  | DockerDiscovery
  | ConsulDiscovery
  | EtcdDiscovery
  | LocalDiscovery
  | AzureDiscovery
  | Ec2Discovery
  | GceDiscovery
  | OtherDiscovery

/** The text of what is wrong with an address that stands in `targets`. */
export function checkTargetAddress(address: string): string | undefined {
  return address.includes('/') ? `${JSON.stringify(address)} is not a valid hostname` : undefined
}

const targetGroup = object<TargetGroupConfig>(
  'struct { Targets []string "yaml:\\"targets\\""; Labels model.LabelSet "yaml:\\"labels\\"" }',
  {
    targets: field('targets', list(string), [], { always: true }),
    labels: field('labels', map(string, { goType: 'model.LabelSet', checkKey: checkLabelName }), {}),
  },
)

function checkLabelName(name: string): string | undefined {
  return name === '' ? '"" is not a valid label name' : undefined
}

const minute = 60_000
const fileName = /^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$/

const fileDiscovery = tagged<FileDiscovery>(
  'file',
  object('file.plain', {
    files: field('files', list(filePath), []),
    refreshIntervalMs: field('refresh_interval', durationMs, 5 * minute),
  }),
  ({ files }, { fail }) => {
    if (files.length === 0) fail('file service discovery config must contain at least one path name')
    const bad = files.find((name) => !fileName.test(name))
    if (bad !== undefined) fail(`path name ${JSON.stringify(bad)} is not valid for file discovery`, 'files')
  },
)

/** Prometheus' three checks on a URL that is asked for target groups. */
export function checkHttpUrl(given: string, { fail }: Checker): void {
  if (given === '') fail('URL is missing')
  const { scheme, host } = splitGoUrl(given)
  if (scheme !== 'http' && scheme !== 'https') fail("URL scheme must be 'http' or 'https'", 'url')
  if (host === '') fail('host is missing in URL', 'url')
}

const httpDiscovery = tagged<HttpDiscovery>(
  'http',
  object('http.plain', {
    http: inline(httpClientConfig),
    refreshIntervalMs: field('refresh_interval', durationMs, minute),
    url: field('url', string, '', { always: true }),
  }),
  (config, checker) => {
    checkHttpUrl(config.url, checker)
    checkRefreshInterval(config, checker)
  },
)

const dnsTypes = ['A', 'AAAA', 'MX', 'NS', 'SRV'] as const

const dnsType: Codec<DnsDiscovery['type']> = {
  goType: 'string',
  decode(node, context) {
    const given = text.decode(node, context)
    return dnsTypes.find((type) => type === given.toUpperCase()) ?? context.fail(node, `invalid DNS-SD records type ${given}`)
  },
  encode: (value) => value,
}

const dnsDiscovery = tagged<DnsDiscovery>(
  'dns',
  object('dns.plain', {
    names: field('names', list(string), [], { always: true }),
    refreshIntervalMs: field('refresh_interval', durationMs, minute / 2),
    type: field('type', dnsType, 'SRV'),
    port: field('port', integer, 0),
  }),
  (config, checker) => {
    const { names, type, port } = config
    const { fail } = checker
    if (names.length === 0) fail('DNS-SD config must contain at least one SRV record name')
    if (type !== 'SRV' && port === 0) fail('a port is required in DNS-SD configs for all record types except SRV')
    checkRefreshInterval(config, checker)
  },
)

const kubernetesRoles = ['node', 'pod', 'service', 'endpoints', 'endpointslice', 'ingress'] as const
const kubernetesRole = choice([...kubernetesRoles, 'kubelet'], (given) => `unknown Kubernetes SD role ${JSON.stringify(given)}`)

const selectorRoles: Readonly<Record<KubernetesDiscovery['role'], readonly KubernetesRole[]>> = {
  pod: ['pod', 'node'],
  service: ['service'],
  endpointslice: ['pod', 'service', 'endpointslice'],
  endpoints: ['pod', 'service', 'endpoints'],
  node: ['node'],
  ingress: ['ingress'],
  kubelet: [],
}

interface RawKubernetes {
  readonly apiServer?: string
  readonly role?: KubernetesDiscovery['role']
  readonly kubeconfigFile: string
  readonly http: HttpClientConfig
  readonly namespaces: { readonly ownNamespace: boolean; readonly names: readonly string[] }
  readonly selectors: KubernetesDiscovery['selectors']
  readonly attach: KubernetesAttachments
}

const noAttachments: KubernetesAttachments = { node: false, namespace: false, deployment: false, job: false, cronjob: false }

const rawKubernetes = object<RawKubernetes>('kubernetes.plain', {
  apiServer: optional('api_server', text),
  role: optional('role', kubernetesRole, { always: true }),
  kubeconfigFile: field('kubeconfig_file', filePath, '', { always: true }),
  http: inline(httpClientConfig),
  namespaces: field(
    'namespaces',
    object<RawKubernetes['namespaces']>('kubernetes.plain', {
      ownNamespace: field('own_namespace', boolean, false, { always: true }),
      names: field('names', list(string), []),
    }),
    { ownNamespace: false, names: [] },
  ),
  selectors: field(
    'selectors',
    list(
      object<KubernetesDiscovery['selectors'][number]>('kubernetes.plain', {
        role: field(
          'role',
          choice(
            kubernetesRoles,
            (given) => `invalid role: ${JSON.stringify(given)}, expecting one of: pod, service, endpoints, endpointslice, node or ingress`,
          ),
          'pod',
        ),
        label: field('label', string, ''),
        field: field('field', string, ''),
      }),
      { goType: '[]kubernetes.SelectorConfig' },
    ),
    [],
  ),
  attach: field(
    'attach_metadata',
    object<KubernetesAttachments>('kubernetes.AttachMetadataConfig', {
      node: field('node', boolean, false),
      namespace: field('namespace', boolean, false),
      deployment: field('deployment', boolean, false),
      job: field('job', boolean, false),
      cronjob: field('cronjob', boolean, false),
    }),
    noAttachments,
  ),
})

const kubernetesDiscovery: ObjectCodec<KubernetesDiscovery> = convertObject<RawKubernetes, KubernetesDiscovery>(
  rawKubernetes,
  checkKubernetes,
  (value) => ({
    ...(value.apiServer === undefined ? {} : { apiServer: value.apiServer }),
    role: value.role,
    kubeconfigFile: value.kubeconfigFile ?? '',
    http: value.http,
    namespaces: { ownNamespace: value.ownNamespace, names: value.namespaces },
    selectors: value.selectors,
    attach: value.attach,
  }),
  {
    mechanism: 'kubernetes',
    role: 'pod',
    ownNamespace: false,
    namespaces: [],
    selectors: [],
    attach: noAttachments,
    http: httpClientConfig.defaults(),
  },
)

function checkKubernetes(raw: RawKubernetes, { fail, has }: Checker): KubernetesDiscovery {
  const { role, apiServer = '', kubeconfigFile, namespaces } = raw
  if (role === undefined) return fail('role missing (one of: pod, service, endpoints, endpointslice, node, ingress, kubelet)')
  const ownHttp = [...httpClientConfig.keys.keys()].some((key) => has(key))
  if (kubeconfigFile !== '' && apiServer !== '') fail("cannot use 'kubeconfig_file' and 'api_server' simultaneously", 'kubeconfig_file')
  if (kubeconfigFile !== '' && ownHttp)
    fail("cannot use a custom HTTP client configuration together with 'kubeconfig_file'", 'kubeconfig_file')
  if (role === 'kubelet') checkKubelet(raw, fail)
  // The kubelet's own URL has a default that an API server's has not.
  if (apiServer === '' && kubeconfigFile === '' && ownHttp && role !== 'kubelet')
    fail("to use custom HTTP client configuration please provide the 'api_server' URL explicitly")
  if (apiServer !== '' && namespaces.ownNamespace && role !== 'kubelet')
    fail("cannot use 'api_server' and 'namespaces.own_namespace' simultaneously", 'namespaces')
  if (kubeconfigFile !== '' && namespaces.ownNamespace) {
    fail("cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously", 'namespaces')
  }
  const seen = new Set<string>()
  for (const selector of raw.selectors) {
    if (seen.has(selector.role)) fail(`duplicated selector role: ${selector.role}`, 'selectors')
    seen.add(selector.role)
    const allowed = selectorRoles[role]
    if (allowed.length === 0) fail(`${role} role supports no selectors`, 'selectors')
    if (!allowed.includes(selector.role)) fail(`${role} role supports only ${allowed.join(', ')} selectors`, 'selectors')
  }
  return {
    mechanism: 'kubernetes',
    ...(apiServer === '' ? {} : { apiServer }),
    role,
    ...(kubeconfigFile === '' ? {} : { kubeconfigFile }),
    ownNamespace: namespaces.ownNamespace,
    namespaces: namespaces.names,
    selectors: raw.selectors,
    attach: raw.attach,
    http: raw.http,
  }
}

// A kubelet knows its pods and nothing else.
function checkKubelet({ kubeconfigFile, attach }: RawKubernetes, fail: Checker['fail']): void {
  if (kubeconfigFile !== '') fail("cannot use 'kubeconfig_file' with role kubelet", 'kubeconfig_file')
  for (const name of ['node', 'namespace', 'deployment', 'cronjob'] as const) {
    if (attach[name]) fail(`attach_metadata.${name} needs the API server, which role kubelet does not ask`, 'attach_metadata')
  }
}

const dockerFilter = object<DockerDiscovery['filters'][number]>('moby.Filter', {
  name: field('name', string, '', { always: true }),
  values: field('values', list(string), []),
})

const dockerDiscovery = tagged<DockerDiscovery>(
  'docker',
  object('moby.plain', {
    http: inline(httpClientConfig),
    host: field('host', string, '', { always: true }),
    port: field('port', integer, 80, { always: true }),
    filters: field('filters', list(dockerFilter, { goType: '[]moby.Filter' }), [], { always: true }),
    hostNetworkingHost: field('host_networking_host', string, 'localhost', { always: true }),
    matchFirstNetwork: field('match_first_network', boolean, true, { always: true }),
    refreshIntervalMs: field('refresh_interval', durationMs, minute, { always: true }),
  }),
  (config, checker) => {
    if (config.host === '') checker.fail('host missing')
    checkRefreshInterval(config, checker)
  },
)

// Key → list of its entries, in the order in which Prometheus prints them.
const known: Readonly<Record<string, Codec<DiscoveryConfig>>> = {
  file_sd_configs: fileDiscovery,
  http_sd_configs: httpDiscovery,
  dns_sd_configs: dnsDiscovery,
  kubernetes_sd_configs: kubernetesDiscovery,
  docker_sd_configs: dockerDiscovery,
  consul_sd_configs: consulDiscovery,
  etcd_sd_configs: etcdDiscovery,
  local_sd_configs: localDiscovery,
  azure_sd_configs: azureDiscovery,
  ec2_sd_configs: ec2Discovery,
  gce_sd_configs: gceDiscovery,
}

const keyOfMechanism: Readonly<Record<Exclude<DiscoveryConfig['mechanism'], 'other'>, string>> = {
  static: 'static_configs',
  file: 'file_sd_configs',
  http: 'http_sd_configs',
  dns: 'dns_sd_configs',
  kubernetes: 'kubernetes_sd_configs',
  docker: 'docker_sd_configs',
  consul: 'consul_sd_configs',
  etcd: 'etcd_sd_configs',
  local: 'local_sd_configs',
  azure: 'azure_sd_configs',
  ec2: 'ec2_sd_configs',
  gce: 'gce_sd_configs',
}

/** The key under which a discovery stands in the file. */
export function discoveryKey(config: DiscoveryConfig): string {
  return config.mechanism === 'other' ? config.key : keyOfMechanism[config.mechanism]
}

type RawDiscoveries = Readonly<Record<string, readonly unknown[]>>

const rawDiscoveries = object<RawDiscoveries>('config.ScrapeConfig', {
  static_configs: field(
    'static_configs',
    list(targetGroup, { emptyText: 'empty or null section in static_configs' }),
    [] as readonly unknown[],
  ),
  ...Object.fromEntries(
    Object.entries({ ...known, ...cloudDiscoveries }).map(([key, codec]) => [
      key,
      field(key, list<unknown>(codec, { emptyText: `empty or null section in ${key}` }), [] as readonly unknown[]),
    ]),
  ),
})

/** Every `…_sd_configs` key and `static_configs`, to stand among the keys of a scrape config. */
export const discoveries: ObjectCodec<readonly DiscoveryConfig[]> = convertObject<RawDiscoveries, readonly DiscoveryConfig[]>(
  rawDiscoveries,
  (raw) =>
    Object.entries(raw).flatMap(([key, values]): readonly DiscoveryConfig[] => {
      if (values.length === 0) return []
      if (key === 'static_configs') return [{ mechanism: 'static', groups: values as readonly TargetGroupConfig[] }]
      return values as readonly DiscoveryConfig[]
    }),
  (configs) => {
    const raw: Record<string, unknown[]> = {}
    for (const config of configs) {
      const entries = config.mechanism === 'static' ? config.groups : [config]
      raw[discoveryKey(config)] = [...(raw[discoveryKey(config)] ?? []), ...entries]
    }
    return raw
  },
  [],
)

/** The first target that Prometheus would refuse, if no relabelling can mend it. */
export function checkStaticTargets(configs: readonly DiscoveryConfig[]): string | undefined {
  for (const config of configs) {
    if (config.mechanism !== 'static') continue
    for (const problem of config.groups.flatMap(({ targets }) => targets.map(checkTargetAddress))) if (problem !== undefined) return problem
  }
  return undefined
}

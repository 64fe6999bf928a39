import type { RelabelRule } from '@narthex/relabel/relabel'
import {
  azureAdConfig,
  googleIamConfig,
  sigv4Config,
  type AzureAdConfig,
  type CloudAuth,
  type GoogleIamConfig,
  type Sigv4Config,
} from './cloud-auth-config.ts'
import { boolean, durationMs, integer, map, string, text, unsigned, url } from './codec.ts'
import { dropUndefined, httpClientConfig, httpClientFields, type HttpClientConfig } from './http-client-config.ts'
import { convertObject, field, inline, object, optional, type Checker, type ObjectCodec } from './object-codec.ts'
import { relabelRules } from './relabel-config.ts'
import type { Codec } from './yaml-decode.ts'

export type RemoteWriteMessage = 'prometheus.WriteRequest' | 'io.prometheus.write.v2.Request'

export interface QueueConfig {
  readonly capacity: number
  readonly maxShards: number
  readonly minShards: number
  readonly maxSamplesPerSend: number
  readonly batchSendDeadlineMs: number
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
  readonly retryOnHttp429: boolean
  /** 0: no limit. */
  readonly sampleAgeLimitMs: number
  /** Ours: the receiver takes samples out of order, so that after an outage new ones go beside the backlog, not behind it. */
  readonly liveFirst: boolean
}

export interface MetadataConfig {
  readonly send: boolean
  readonly sendIntervalMs: number
  readonly maxSamplesPerSend: number
}

export interface RemoteWriteConfig {
  readonly url: string
  readonly remoteTimeoutMs: number
  readonly headers: Readonly<Record<string, string>>
  readonly writeRelabelConfigs: readonly RelabelRule[]
  readonly name?: string
  readonly sendExemplars: boolean
  readonly sendNativeHistograms: boolean
  readonly roundRobinDns: boolean
  /** As the file says; undefined: not said, so the sender chooses (2.0 first). */
  readonly protobufMessage?: RemoteWriteMessage
  readonly http: HttpClientConfig
  readonly queue: QueueConfig
  readonly metadata: MetadataConfig
  readonly cloudAuth?: CloudAuth
}

export interface RemoteReadConfig {
  readonly url: string
  readonly remoteTimeoutMs: number
  readonly chunkedReadLimitBytes: number
  readonly headers: Readonly<Record<string, string>>
  readonly readRecent: boolean
  readonly name?: string
  readonly requiredMatchers: Readonly<Record<string, string>>
  readonly filterExternalLabels: boolean
  readonly http: HttpClientConfig
}

const messages: readonly RemoteWriteMessage[] = ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request']

const message: Codec<RemoteWriteMessage> = {
  goType: 'string',
  decode(node, context) {
    const given = text.decode(node, context)
    const problem = `invalid protobuf_message value: unknown type for remote write protobuf message ${given}, supported: ${messages.join(', ')}`
    return messages.find((known) => known === given) ?? context.fail(node, problem)
  },
  encode: (value) => value,
}

const queueConfig = object<QueueConfig>(
  'config.QueueConfig',
  {
    // Five times Prometheus': a request carries each text once, so larger ones are smaller a sample (docs/differences.md).
    capacity: field('capacity', integer, 50_000),
    maxShards: field('max_shards', integer, 50),
    minShards: field('min_shards', integer, 1),
    maxSamplesPerSend: field('max_samples_per_send', integer, 10_000),
    batchSendDeadlineMs: field('batch_send_deadline', durationMs, 5_000),
    minBackoffMs: field('min_backoff', durationMs, 30),
    maxBackoffMs: field('max_backoff', durationMs, 5_000),
    retryOnHttp429: field('retry_on_http_429', boolean, false),
    sampleAgeLimitMs: field('sample_age_limit', durationMs, 0),
    liveFirst: field('live_first', boolean, false),
  },
  { check: checkQueue },
)

function checkQueue(queue: QueueConfig, { fail }: Checker): void {
  const positive = [
    ['capacity', queue.capacity],
    ['max_shards', queue.maxShards],
    ['min_shards', queue.minShards],
    ['max_samples_per_send', queue.maxSamplesPerSend],
    ['batch_send_deadline', queue.batchSendDeadlineMs],
    ['min_backoff', queue.minBackoffMs],
    ['max_backoff', queue.maxBackoffMs],
  ] as const
  for (const [key, value] of positive) if (value <= 0) fail(`remote write queue ${key} must be positive`, key)
  if (queue.maxShards < queue.minShards) fail('remote write queue max_shards must not be less than min_shards', 'max_shards')
  if (queue.maxBackoffMs < queue.minBackoffMs) fail('remote write queue max_backoff must not be less than min_backoff', 'max_backoff')
}

const metadataConfig = object<MetadataConfig>('config.MetadataConfig', {
  send: field('send', boolean, true, { always: true }),
  sendIntervalMs: field('send_interval', durationMs, 60_000, { always: true }),
  maxSamplesPerSend: field('max_samples_per_send', integer, 2_000),
})

interface RawRemoteWrite extends Omit<RemoteWriteConfig, 'cloudAuth' | 'name' | 'url'> {
  readonly url: string
  readonly name: string
  readonly sigv4?: Sigv4Config
  readonly azuread?: AzureAdConfig
  readonly googleIam?: GoogleIamConfig
}

const rawRemoteWrite = object<RawRemoteWrite>('config.plain', {
  url: field('url', url, '', { always: true }),
  remoteTimeoutMs: field('remote_timeout', durationMs, 30_000),
  headers: field('headers', map(string), {}),
  writeRelabelConfigs: field('write_relabel_configs', relabelRules('empty or null relabeling rule in remote write config'), []),
  name: field('name', string, ''),
  sendExemplars: field('send_exemplars', boolean, false),
  sendNativeHistograms: field('send_native_histograms', boolean, false),
  roundRobinDns: field('round_robin_dns', boolean, false),
  protobufMessage: optional('protobuf_message', message),
  // As in Prometheus, a remote write speaks HTTP/1.1 unless told otherwise.
  http: inline(httpClientFields({ enableHttp2: false })),
  queue: field('queue_config', queueConfig, queueConfig.defaults()),
  metadata: field('metadata_config', metadataConfig, metadataConfig.defaults()),
  sigv4: optional('sigv4', sigv4Config, { always: true }),
  azuread: optional('azuread', azureAdConfig, { always: true }),
  googleIam: optional('google_iam', googleIamConfig, { always: true }),
})

export const remoteWriteConfig: ObjectCodec<RemoteWriteConfig> = convertObject<RawRemoteWrite, RemoteWriteConfig>(
  rawRemoteWrite,
  checkRemoteWrite,
  ({ cloudAuth, ...rest }) => ({ ...rest, name: rest.name ?? '', ...printCloudAuth(cloudAuth) }),
  { ...withoutName(rawRemoteWrite.defaults()) },
)

function checkRemoteWrite(raw: RawRemoteWrite, { fail }: Checker): RemoteWriteConfig {
  const { sigv4, azuread, googleIam, name, ...rest } = raw
  if (raw.url === '') fail('url for remote_write is empty')
  checkHeaders(raw.headers, 'basic_auth, authorization, oauth2, sigv4, azuread or google_iam', fail)
  const { basicAuth, authorization, oauth2 } = raw.http
  const ways = [basicAuth, authorization, oauth2, sigv4, azuread, googleIam].filter((way) => way !== undefined)
  if (ways.length > 1) fail('at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured')
  const cloudAuth: CloudAuth | undefined =
    sigv4 !== undefined
      ? { kind: 'sigv4', config: sigv4 }
      : azuread !== undefined
        ? { kind: 'azuread', config: azuread }
        : googleIam !== undefined
          ? { kind: 'google_iam', config: googleIam }
          : undefined
  return dropUndefined<RemoteWriteConfig>({
    ...rest,
    protobufMessage: rest.protobufMessage,
    name: name === '' ? undefined : name,
    cloudAuth,
  })
}

function printCloudAuth(auth: CloudAuth | undefined): Partial<Pick<RawRemoteWrite, 'sigv4' | 'azuread' | 'googleIam'>> {
  if (auth === undefined) return {}
  if (auth.kind === 'sigv4') return { sigv4: auth.config }
  return auth.kind === 'azuread' ? { azuread: auth.config } : { googleIam: auth.config }
}

function withoutName({ name: _name, ...rest }: RawRemoteWrite): RemoteWriteConfig {
  return rest
}

/** Headers that the protocol or the transport sets. */
const reservedHeaders: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-length',
  'content-type',
  'user-agent',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'www-authenticate',
  'accept-encoding',
  'x-prometheus-remote-write-version',
  'x-prometheus-remote-read-version',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-content-sha256',
])

function checkHeaders(headers: Readonly<Record<string, string>>, ways: string, fail: (text: string, key?: string) => never): void {
  for (const name of Object.keys(headers)) {
    if (name.toLowerCase() === 'authorization') fail(`authorization header must be changed via the ${ways} parameter`, 'headers')
    if (reservedHeaders.has(name.toLowerCase())) fail(`${name} is a reserved header. It must not be changed`, 'headers')
  }
}

interface RawRemoteRead extends Omit<RemoteReadConfig, 'name'> {
  readonly name: string
}

const rawRemoteRead = object<RawRemoteRead>('config.plain', {
  url: field('url', url, '', { always: true }),
  remoteTimeoutMs: field('remote_timeout', durationMs, 60_000),
  chunkedReadLimitBytes: field('chunked_read_limit', unsigned, 50_000_000),
  headers: field('headers', map(string), {}),
  readRecent: field('read_recent', boolean, false),
  name: field('name', string, ''),
  http: inline(httpClientConfig),
  requiredMatchers: field('required_matchers', map(string, { goType: 'model.LabelSet' }), {}),
  filterExternalLabels: field('filter_external_labels', boolean, true),
})

export const remoteReadConfig: ObjectCodec<RemoteReadConfig> = convertObject<RawRemoteRead, RemoteReadConfig>(
  rawRemoteRead,
  (raw, { fail }) => {
    if (raw.url === '') fail('url for remote_read is empty')
    checkHeaders(raw.headers, 'basic_auth, authorization, or oauth2', fail)
    const { name, ...rest } = raw
    return name === '' ? rest : raw
  },
  (value) => ({ ...value, name: value.name ?? '' }),
  rawRemoteRead.defaults(),
)

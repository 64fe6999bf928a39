import { formatFloatG } from '@narthex/model/number'
import { formatByteSize } from './byte-size.ts'
import { sigv4Config } from './cloud-auth-config.ts'
import { boolean, choice, durationMs, float, integer, list, map, sizeBytes, string, text } from './codec.ts'
import { checkStaticTargets, discoveries } from './discovery-config.ts'
import { dropUndefined, httpClientConfig, tlsConfig } from './http-client-config.ts'
import { convertObject, field, inline, object, optional, type Checker, type ObjectCodec } from './object-codec.ts'
import type {
  AlertingConfig,
  AlertmanagerTarget,
  OtlpConfig,
  OtlpTranslationStrategy,
  StorageConfig,
  TracingConfig,
} from './prometheus-config.ts'
import { relabelRules } from './relabel-config.ts'
import type { Codec } from './yaml-decode.ts'

// Sections of prometheus.yml that stand for themselves: alerting, storage, tracing, otlp.

const apiVersion: Codec<'v2'> = {
  goType: 'string',
  decode(node, context) {
    const given = text.decode(node, context)
    return given === 'v2' ? given : context.fail(node, `expected Alertmanager api version to be one of [v2] but got ${given}`)
  },
  encode: (value) => value,
}

const alertmanagerTarget = object<AlertmanagerTarget>(
  'config.AlertmanagerConfig',
  {
    http: inline(httpClientConfig),
    scheme: field(
      'scheme',
      choice(['http', 'https'], (given) => `unsupported scheme ${JSON.stringify(given)}: want http or https`),
      'http',
    ),
    pathPrefix: field('path_prefix', string, ''),
    timeoutMs: field('timeout', durationMs, 10_000),
    apiVersion: field('api_version', apiVersion, 'v2'),
    relabelConfigs: field('relabel_configs', relabelRules('empty or null Alertmanager target relabeling rule'), []),
    alertRelabelConfigs: field('alert_relabel_configs', relabelRules('empty or null Alertmanager alert relabeling rule'), []),
    sigv4: optional('sigv4', sigv4Config, { always: true }),
    discovery: inline(discoveries),
  },
  {
    check({ http, sigv4, relabelConfigs, discovery }, { fail }) {
      const isKnownOtherwise = http.basicAuth !== undefined || http.authorization !== undefined || http.oauth2 !== undefined
      if (sigv4 !== undefined && isKnownOtherwise) {
        fail('at most one of basic_auth, authorization, oauth2, & sigv4 must be configured', 'sigv4')
      }
      const problem = relabelConfigs.length === 0 ? checkStaticTargets(discovery) : undefined
      if (problem !== undefined) fail(problem, 'static_configs')
    },
  },
)

export const alertingConfig: ObjectCodec<AlertingConfig> = object<AlertingConfig>('config.AlertingConfig', {
  alertRelabelConfigs: field('alert_relabel_configs', relabelRules('empty or null alert relabeling rule'), []),
  alertmanagers: field(
    'alertmanagers',
    list(alertmanagerTarget, { goType: 'config.AlertmanagerConfigs', emptyText: 'empty or null Alertmanager config section' }),
    [],
  ),
})

interface RawTsdb {
  readonly outOfOrderTimeWindowMs: number | undefined
  readonly staleSeriesCompactionThreshold: number
  readonly retention: { readonly timeMs?: number; readonly sizeBytes?: number; readonly percentage?: number }
  readonly chunkEncoding: { readonly floats?: 'xor' | 'xor2' }
}

interface RawStorage {
  readonly tsdb: RawTsdb
  readonly exemplars: { readonly maxExemplars: number }
}

const retention = object<RawTsdb['retention']>(
  'config.TSDBRetentionConfig',
  { timeMs: optional('time', durationMs), sizeBytes: optional('size', sizeBytes), percentage: optional('percentage', float) },
  {
    check({ sizeBytes: size, percentage }, { fail }) {
      if (size !== undefined && size < 0) {
        fail(`'storage.tsdb.retention.size' must be greater than or equal to 0, got ${formatByteSize(size)}`, 'size')
      }
      if (percentage !== undefined && !(percentage >= 0 && percentage <= 100)) {
        fail(`'storage.tsdb.retention.percentage' must be in the range [0, 100], got ${formatFloatG(percentage)}`, 'percentage')
      }
    },
  },
)

const chunkEncoding = object<RawTsdb['chunkEncoding']>('config.TSDBChunkEncodingConfig', {
  floats: optional(
    'floats',
    choice(
      ['xor', 'xor2'],
      (given) =>
        `'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be omitted entirely, got ${JSON.stringify(given)}`,
    ),
  ),
})

const tsdb = object<RawTsdb>(
  'config.plain',
  {
    outOfOrderTimeWindowMs: optional('out_of_order_time_window', durationMs),
    staleSeriesCompactionThreshold: field('stale_series_compaction_threshold', float, 0, { notYet: true }),
    retention: field('retention', retention, {}),
    chunkEncoding: field('chunk_encoding', chunkEncoding, {}),
  },
  {
    check({ staleSeriesCompactionThreshold: threshold }, { fail }) {
      if (!(threshold >= 0 && threshold <= 1)) {
        fail("'storage.tsdb.stale_series_compaction_threshold' must be in the range [0, 1]", 'stale_series_compaction_threshold')
      }
    },
  },
)

const defaultExemplars = { maxExemplars: 100_000 }

const rawStorage = object<RawStorage>('config.StorageConfig', {
  tsdb: field('tsdb', tsdb, tsdb.defaults()),
  exemplars: field(
    'exemplars',
    object<RawStorage['exemplars']>('config.ExemplarsConfig', { maxExemplars: field('max_exemplars', integer, 100_000) }),
    defaultExemplars,
  ),
})

export const storageConfig: ObjectCodec<StorageConfig> = convertObject<RawStorage, StorageConfig>(
  rawStorage,
  ({ tsdb: given, exemplars }) =>
    dropUndefined<StorageConfig>({
      outOfOrderTimeWindowMs: given.outOfOrderTimeWindowMs,
      staleSeriesCompactionThreshold: given.staleSeriesCompactionThreshold,
      retentionTimeMs: given.retention.timeMs,
      retentionSizeBytes: given.retention.sizeBytes,
      retentionPercentage: given.retention.percentage,
      chunkEncodingFloats: given.chunkEncoding.floats,
      maxExemplars: exemplars.maxExemplars,
    }),
  (storage) => ({
    tsdb: {
      outOfOrderTimeWindowMs: storage.outOfOrderTimeWindowMs,
      staleSeriesCompactionThreshold: storage.staleSeriesCompactionThreshold,
      retention: dropUndefined<RawTsdb['retention']>({
        timeMs: storage.retentionTimeMs,
        sizeBytes: storage.retentionSizeBytes,
        percentage: storage.retentionPercentage,
      }),
      chunkEncoding: dropUndefined<RawTsdb['chunkEncoding']>({ floats: storage.chunkEncodingFloats }),
    },
    // Go prints this section only when the file has it; a default that was written out is not told apart.
    exemplars: { maxExemplars: storage.maxExemplars === defaultExemplars.maxExemplars ? 0 : storage.maxExemplars },
  }),
  { staleSeriesCompactionThreshold: 0, maxExemplars: defaultExemplars.maxExemplars },
)

export const tracingConfig: ObjectCodec<TracingConfig> = object<TracingConfig>(
  'config.plain',
  {
    clientType: field(
      'client_type',
      choice(['grpc', 'http'], (given) => `expected tracing client type to be to be one of [http, grpc], but got ${given}`),
      'grpc',
    ),
    endpoint: field('endpoint', string, ''),
    samplingFraction: field('sampling_fraction', float, 0),
    insecure: field('insecure', boolean, false),
    tls: optional('tls_config', tlsConfig),
    headers: field('headers', map(string), {}),
    compression: optional(
      'compression',
      choice(['gzip'], (given) => `invalid compression type ${given} provided, valid options: gzip`),
    ),
    timeoutMs: field('timeout', durationMs, 10_000),
  },
  {
    check({ endpoint, headers }, { fail }) {
      if (Object.keys(headers).some((name) => name.toLowerCase() === 'authorization')) {
        fail('custom authorization header configuration is not yet supported', 'headers')
      }
      if (endpoint === '') fail('tracing endpoint must be set', 'endpoint')
    },
  },
)

const strategies: readonly OtlpTranslationStrategy[] = [
  'UnderscoreEscapingWithSuffixes',
  'UnderscoreEscapingWithoutSuffixes',
  'NoUTF8EscapingWithSuffixes',
  'NoTranslation',
]

export const otlpConfig: ObjectCodec<OtlpConfig> = object<OtlpConfig>(
  'config.plain',
  {
    promoteAllResourceAttributes: field('promote_all_resource_attributes', boolean, false),
    promoteResourceAttributes: field('promote_resource_attributes', list(string), []),
    ignoreResourceAttributes: field('ignore_resource_attributes', list(string), []),
    translationStrategy: field(
      'translation_strategy',
      choice(strategies, (given) => `unsupported OTLP translation strategy ${JSON.stringify(given)}`),
      'UnderscoreEscapingWithSuffixes',
    ),
    keepIdentifyingResourceAttributes: field('keep_identifying_resource_attributes', boolean, false),
    convertHistogramsToNhcb: field('convert_histograms_to_nhcb', boolean, false),
    promoteScopeMetadata: field('promote_scope_metadata', boolean, false),
    labelNameUnderscoreSanitization: field('label_name_underscore_sanitization', boolean, true),
    labelNamePreserveMultipleUnderscores: field('label_name_preserve_multiple_underscores', boolean, true),
  },
  { check: checkOtlp },
)

function checkOtlp(otlp: OtlpConfig, checker: Checker): OtlpConfig {
  const { fail } = checker
  if (otlp.promoteAllResourceAttributes && otlp.promoteResourceAttributes.length > 0) {
    fail(
      "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously",
      'promote_resource_attributes',
    )
  }
  if (!otlp.promoteAllResourceAttributes && otlp.ignoreResourceAttributes.length > 0) {
    fail("'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true", 'ignore_resource_attributes')
  }
  return {
    ...otlp,
    promoteResourceAttributes: trimAttributes(otlp.promoteResourceAttributes, 'promote_resource_attributes', 'promoted', checker),
    ignoreResourceAttributes: trimAttributes(otlp.ignoreResourceAttributes, 'ignore_resource_attributes', 'ignored', checker),
  }
}

function trimAttributes(given: readonly string[], key: string, word: string, { fail }: Checker): string[] {
  const seen = new Set<string>()
  const problems: string[] = []
  for (const attribute of given.map((name) => name.trim())) {
    if (attribute === '') problems.push(`empty ${word} OTel resource attribute`)
    else if (seen.has(attribute)) problems.push(`duplicated ${word} OTel resource attribute ${JSON.stringify(attribute)}`)
    seen.add(attribute)
  }
  if (problems.length > 0) fail(`invalid '${key}': ${problems.join('\n')}`, key)
  return [...seen]
}

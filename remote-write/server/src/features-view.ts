import { discoveryMechanisms } from '@narthex/agent/discovery/mechanisms'
import { functionSignatures } from '@narthex/promql/parse/functions'
import { aggregations, operators } from '@narthex/promql/parse/token'
import { prometheusFunctionNames } from '@narthex/template/prometheus-functions'
import type { ServerSettings } from './server.ts'

const experimentalAggregations: readonly string[] = ['limitk', 'limit_ratio']

/** What Prometheus 3.16 discovers targets with and we do not. */
const otherDiscovery =
  'aws digitalocean dockerswarm ecs elasticache eureka hetzner ionos kuma lightsail linode marathon msk nerve nomad oci openstack outscale ovhcloud puppetdb rds scaleway serverset stackit triton uyuni vultr'.split(
    ' ',
  )

type Features = Record<string, Record<string, boolean>>

/** What this server can do and what is switched on, by area, as `/api/v1/features` tells it: all that Prometheus lists, false if it is not built here. */
export function listFeatures(settings: ServerSettings): Features {
  const has = (feature: string) => settings.features.includes(feature)
  const experimental = has('promql-experimental-functions')
  const fill = has('promql-binop-fill-modifiers')
  const all = (names: Iterable<string>) => Object.fromEntries([...names].sort().map((name) => [name, true]))
  const none = (names: Iterable<string>) => Object.fromEntries([...names].map((name) => [name, false]))
  return {
    api: {
      ...none(['openapi_3.1', 'openapi_3.2', 'query_cost', 'search_fuzz_alg_jarowinkler', 'search_fuzz_alg_subsequence']),
      ...all(['exclude_alerts', 'label_values_match', 'query_stats', 'query_warnings', 'time_range_labels', 'time_range_series']),
      admin: settings.enableAdminApi,
      lifecycle: settings.enableLifecycle,
      otlp_write_receiver: settings.flags['web.enable-otlp-receiver'] === 'true',
      remote_write_receiver: settings.receiverRefusal === undefined,
      search: has('search-api'),
    },
    otlp_receiver: none(['delta_conversion', 'native_delta_ingestion']),
    prometheus: {
      ...none(['agent_mode', 'stringlabels']),
      auto_reload_config: has('auto-reload-config') || settings.flags['config.auto-reload'] === 'true',
      server_mode: true,
    },
    promql: {
      ...all([
        'anchored',
        'at_modifier',
        'bool',
        'by',
        'duration_expr',
        'group_left',
        'group_right',
        'ignoring',
        'negative_offset',
        'offset',
        'on',
      ]),
      ...all(['per_query_lookback_delta', 'smoothed', 'subqueries', 'without']),
      ...{ fill, fill_left: fill, fill_right: fill, unquoted_utf8_names: false },
      delayed_name_removal: has('promql-delayed-name-removal'),
      per_step_stats: has('promql-per-step-stats'),
      type_and_unit_labels: has('type-and-unit-labels'),
    },
    promql_functions: Object.fromEntries(
      [...functionSignatures.values()].map((signature) => [signature.name, experimental || !signature.experimental]),
    ),
    promql_operators: {
      ...all([...operators, ...aggregations]),
      ...Object.fromEntries(experimentalAggregations.map((name) => [name, experimental])),
    },
    rules: { concurrent_rule_eval: false, keep_firing_for: true, query_offset: true },
    scrape: {
      ...all(['extra_scrape_metrics', 'openmetrics2']),
      start_timestamp_zero_ingestion: false,
      type_and_unit_labels: has('type-and-unit-labels'),
    },
    service_discovery_providers: { ...none(otherDiscovery), ...all(discoveryMechanisms) },
    templating_functions: all(prometheusFunctionNames),
    tsdb: {
      ...none(['delayed_compaction', 'histograms_st_encoding', 'st_storage', 'use_uncached_io', 'xor2_encoding']),
      ...{ exemplar_storage: has('exemplar-storage'), isolation: true, native_histograms: true },
    },
    ui: none(['ui_v2', 'ui_v3']),
  }
}

import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'

// Flags of cAdvisor that existing command lines give and that change nothing here; the command prints one warning for each that is given.

const housekeeping = 'everything is read when it is asked for'
const storage = 'samples are kept by whoever scrapes'
const events = 'events are counted, not stored'
const klog = 'use --log.level and --log.format'
const perf = 'counters of perf_event_open(2) are out of reach of this program'
const applications = 'metrics of applications are scraped from the applications'

const accepted = (type: FlagSpec['type'], names: string, reason: string): FlagSpec[] =>
  names.split(' ').map((name) => ({ name, type, hidden: true, help: 'Accepted.', withoutEffect: reason }))

export const flagsWithoutEffect: readonly FlagSpec[] = [
  ...accepted('duration', 'housekeeping_interval max_housekeeping_interval global_housekeeping_interval', housekeeping),
  ...accepted('boolean', 'allow_dynamic_housekeeping', housekeeping),
  ...accepted('number', 'initial_splay_factor jitter_factor', housekeeping),
  ...accepted('duration', 'storage_duration storage_driver_buffer_duration', storage),
  ...accepted(
    'string',
    'storage_driver storage_driver_db storage_driver_host storage_driver_password storage_driver_table storage_driver_user ' +
      'storage_driver_influxdb_retention_policy storage_driver_kafka_broker_list storage_driver_kafka_topic storage_driver_kafka_ssl_ca ' +
      'storage_driver_kafka_ssl_cert storage_driver_kafka_ssl_key storage_driver_es_host storage_driver_es_index storage_driver_es_type ' +
      'bq_account bq_credentials_file bq_id bq_project_id bq_secret',
    storage,
  ),
  ...accepted('boolean', 'storage_driver_secure storage_driver_kafka_ssl_verify storage_driver_es_enable_sniffer', storage),
  ...accepted('string', 'event_storage_age_limit event_storage_event_limit', events),
  ...accepted('string', 'log_dir stderrthreshold v vmodule log_backtrace_at log_file', klog),
  ...accepted('boolean', 'logtostderr alsologtostderr skip_headers skip_log_headers add_dir_header one_output', klog),
  ...accepted('number', 'log_file_max_size', klog),
  ...accepted('boolean', 'log_cadvisor_usage', 'metrics of the process itself are always there'),
  ...accepted('boolean', 'profiling', 'there is no Go runtime'),
  ...accepted('number', 'max_procs', 'there is no Go runtime'),
  ...accepted('string', 'perf_events_config', perf),
  ...accepted('number', 'application_metrics_count_limit', applications),
  ...accepted('string', 'collector_cert collector_key', applications),
  ...accepted('duration', 'resctrl_interval', 'monitoring groups of resctrl are not made'),
  ...accepted('string', 'container_hints', 'the networks and mounts that it describes are found without'),
  ...accepted('string', 'docker_root', 'only the API of Docker is asked, never its directory'),
  ...accepted('duration', 'crio_client_timeout', 'every engine has two seconds for an answer'),
]

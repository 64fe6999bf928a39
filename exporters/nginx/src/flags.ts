import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { defaultBuckets } from './latency-histograms.ts'

const noRestart = 'the exporter starts whether NGINX is up or not, and asks it anew at every scrape'
const webConfig = 'use --web.config.file'

/**
 * The nginx exporter's own flags with the original's names and defaults, those of 0.11 included. Those of the listener and the logger belong
 * to the command.
 */
export const nginxExporterFlags: readonly FlagSpec[] = [
  {
    name: 'nginx.scrape-uri',
    type: 'string',
    repeatable: true,
    default: ['http://127.0.0.1:8080/stub_status'],
    help: 'URI or unix domain socket (unix:/path:/uri) of the stub_status page, or of the API of NGINX Plus. (repeatable)',
  },
  { name: 'nginx.timeout', type: 'duration', default: '5s', help: 'Longest time for a page.' },
  { name: 'nginx.plus', type: 'boolean', default: false, help: 'The URIs are those of the API of NGINX Plus: http://host/api.' },
  { name: 'nginx.ssl-verify', type: 'boolean', default: false, help: 'Check the certificate of the server.' },
  { name: 'nginx.ssl-ca-cert', type: 'string', default: '', help: 'PEM file of the CA certificate that the server is checked against.' },
  { name: 'nginx.ssl-client-cert', type: 'string', default: '', help: 'PEM file of the client certificate.' },
  { name: 'nginx.ssl-client-key', type: 'string', default: '', help: 'PEM file of the key of the client certificate.' },
  {
    name: 'nginx.proxy-protocol',
    type: 'boolean',
    default: false,
    help: 'Begin each connection to the server with the header of the PROXY protocol.',
  },
  {
    name: 'nginx.vts-uri',
    type: 'string',
    repeatable: true,
    default: [],
    help: 'URI or unix domain socket of the page of the module vhost traffic status in JSON, http://host/status/format/json. (repeatable)',
  },
  {
    name: 'nginx.vts-exporter-names',
    type: 'boolean',
    default: false,
    help: 'Also show what the module tells under the names of nginx-vts-exporter.',
  },
  {
    name: 'nginx.access-log',
    type: 'string',
    repeatable: true,
    default: [],
    help: 'Access log to follow, PATH or HOST=PATH; wildcards stand for several. (repeatable)',
  },
  {
    name: 'nginx.access-log.format',
    type: 'string',
    default: 'auto',
    help: 'Format of the access logs: combined, json, auto (either), or the text of a log_format.',
  },
  {
    name: 'nginx.access-log.buckets',
    type: 'string',
    default: defaultBuckets.join(','),
    help: 'Upper bounds of the buckets of durations, in seconds.',
  },
  {
    name: 'nginx.access-log.hosts',
    type: 'string',
    default: '',
    help: 'Hosts that are told apart, as a regular expression of the whole name; all others are "other".',
  },
  {
    name: 'nginx.access-log.label-values-max',
    type: 'number',
    default: 100,
    help: 'Values of each of the labels host, upstream and backend; all others are "other".',
  },
  {
    name: 'prometheus.const-label',
    type: 'string',
    repeatable: true,
    default: [],
    help: 'Label that every metric gets, label=value. (repeatable)',
  },
  {
    name: 'prometheus.const-labels',
    type: 'string',
    default: '',
    hidden: true,
    help: 'As --prometheus.const-label, several with commas between them.',
  },
  { name: 'web.telemetry-path', type: 'string', default: '/metrics', help: 'Path under which to expose metrics.' },
  { name: 'nginx.retries', type: 'number', default: 0, hidden: true, help: 'Accepted.', withoutEffect: noRestart },
  { name: 'nginx.retry-interval', type: 'duration', default: '5s', hidden: true, help: 'Accepted.', withoutEffect: noRestart },
  { name: 'web.secured-metrics', type: 'boolean', default: false, hidden: true, help: 'Accepted.', withoutEffect: webConfig },
  { name: 'web.ssl-server-cert', type: 'string', default: '', hidden: true, help: 'Accepted.', withoutEffect: webConfig },
  { name: 'web.ssl-server-key', type: 'string', default: '', hidden: true, help: 'Accepted.', withoutEffect: webConfig },
]

/** The original's environment variable of each flag. */
export const nginxExporterEnvironment: ReadonlyMap<string, string> = new Map([
  ['nginx.scrape-uri', 'SCRAPE_URI'],
  ['nginx.timeout', 'TIMEOUT'],
  ['nginx.plus', 'NGINX_PLUS'],
  ['nginx.ssl-verify', 'SSL_VERIFY'],
  ['nginx.ssl-ca-cert', 'SSL_CA_CERT'],
  ['nginx.ssl-client-cert', 'SSL_CLIENT_CERT'],
  ['nginx.ssl-client-key', 'SSL_CLIENT_KEY'],
  ['nginx.proxy-protocol', 'PROXY_PROTOCOL'],
  ['nginx.vts-uri', 'VTS_URI'],
  ['nginx.vts-exporter-names', 'VTS_EXPORTER_NAMES'],
  ['nginx.access-log', 'ACCESS_LOG'],
  ['nginx.access-log.format', 'ACCESS_LOG_FORMAT'],
  ['nginx.access-log.buckets', 'ACCESS_LOG_BUCKETS'],
  ['nginx.access-log.hosts', 'ACCESS_LOG_HOSTS'],
  ['nginx.access-log.label-values-max', 'ACCESS_LOG_LABEL_VALUES_MAX'],
  ['prometheus.const-label', 'CONST_LABELS'],
  ['web.telemetry-path', 'TELEMETRY_PATH'],
  ['nginx.retries', 'NGINX_RETRIES'],
  ['nginx.retry-interval', 'NGINX_RETRY_INTERVAL'],
  ['web.secured-metrics', 'SECURED_METRICS'],
  ['web.ssl-server-cert', 'SSL_SERVER_CERT'],
  ['web.ssl-server-key', 'SSL_SERVER_KEY'],
])

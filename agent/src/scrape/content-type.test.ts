import { expect, test } from 'vitest'
import { chooseKind } from './content-type.ts'

test.each([
  ['text/plain', 'text'],
  ['text/plain; version=0.0.4; charset=utf-8', 'text'],
  ['TEXT/Plain;version=99', 'text'],
  ['application/openmetrics-text; version=1.0.0', 'openmetrics'],
  ['application/openmetrics-text; version=0.0.1', 'openmetrics'],
  ['application/openmetrics-text; version=2.0.0; charset=utf-8', 'openmetrics2'],
  ['application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited', 'protobuf'],
])('reads %s as %s', (contentType, kind) => {
  expect(chooseKind(contentType, undefined)).toBe(kind)
})

test.each([
  ['', 'non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target'],
  ['text/html', 'received unsupported Content-Type "text/html" and no fallback_scrape_protocol specified for target'],
  ['*', 'received unsupported Content-Type "*" and no fallback_scrape_protocol specified for target'],
  ['no,type', 'cannot parse Content-Type "no,type" and no fallback_scrape_protocol for target'],
])('refuses %j without a fallback, takes the fallback otherwise', (contentType, message) => {
  expect(() => chooseKind(contentType, undefined)).toThrow(message)
  expect(chooseKind(contentType, 'OpenMetricsText1.0.0')).toBe('openmetrics')
})

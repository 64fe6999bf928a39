import { expect, it } from 'vitest'
import { chooseFederationFormat } from './federation-format.ts'

const protobuf = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited'

it.each([
  ['', 'text', false],
  ['*/*', 'text', false],
  ['text/plain;version=0.0.4', 'text', false],
  [protobuf, 'protobuf', false],
  [`${protobuf};q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.2`, 'protobuf', false],
  [`text/plain;version=0.0.4,${protobuf}`, 'text', false],
  [`text/plain;version=0.0.4;q=0.2 , ${protobuf};escaping=allow-utf-8;q=0.6`, 'protobuf', true],
  [`application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.5`, 'text', false],
  [protobuf.replace('delimited', 'text'), 'text', false],
  [`${protobuf};q=0`, 'text', false],
])('Accept: %s is answered in %s', (accept, format, allowsUtf8) => {
  expect(chooseFederationFormat(accept)).toMatchObject({ format, allowsUtf8 })
})

it('the answer says what it is', () => {
  expect(chooseFederationFormat('').contentType).toBe('text/plain; version=0.0.4; charset=utf-8; escaping=underscores')
  expect(chooseFederationFormat(`${protobuf};escaping=allow-utf-8`).contentType).toBe(
    'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=allow-utf-8',
  )
})

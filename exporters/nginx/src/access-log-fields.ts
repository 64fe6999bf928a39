/**
 * The variables of NGINX that are read from a line of an access log, by their place in `FieldPlaces`. Others are skipped.
 * https://nginx.org/en/docs/varindex.html
 */
export const accessLogFields = [
  'status',
  'request',
  'request_method',
  'server_name',
  'host',
  'http_host',
  'request_time',
  'body_bytes_sent',
  'bytes_sent',
  'request_length',
  'proxy_host',
  'upstream_addr',
  'upstream_status',
  'upstream_response_time',
  'upstream_cache_status',
] as const

export type AccessLogField = (typeof accessLogFields)[number]

/** Place of each field: `fieldIndex.status`. */
export const fieldIndex = Object.fromEntries(accessLogFields.map((name, index) => [name, index])) as Readonly<
  Record<AccessLogField, number>
>

/** Start and end of field i in the bytes of a line: `places[2 * i]`, `places[2 * i + 1]`; an absent field is empty, from 0 to 0. */
export type FieldPlaces = Int32Array

export function createFieldPlaces(): FieldPlaces {
  return new Int32Array(2 * accessLogFields.length)
}

/** Finds the fields of one line, `bytes[start, end)` without its line feed; false if the line is not of this format. */
export type LineReader = (bytes: Uint8Array, start: number, end: number, places: FieldPlaces) => boolean

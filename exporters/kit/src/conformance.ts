import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { Exporter } from './exporter.ts'
import { metricsContentType, type MetricsResponse } from './metrics-answer.ts'
import { parseFamilies, type MetricFamily } from './family-parser.ts'
import type { InventoryRow } from './inventory.ts'

export interface ConformanceOptions {
  /** A collector that is on. */
  readonly collector: string
  /** The original's families; every family of the exporter must be among them, with this type and no label beyond these. */
  readonly inventory?: readonly InventoryRow[]
  /** Names that the inventory cannot list (files that users drop in, names made from hardware). */
  readonly isDynamicName?: (name: string) => boolean
  /** Labels that the inventory cannot list (the labels of containers). */
  readonly isDynamicLabel?: (label: string) => boolean
  /** The original gives its samples timestamps. */
  readonly hasTimestamps?: boolean
}

/**
 * What every exporter must do, checked on a live one: the violations found, none if all is well. Checks the format, the answer's headers,
 * compression, `collect[]` and `exclude[]`, and the families against the original's.
 */
export async function findViolations(exporter: Exporter, options: ConformanceOptions): Promise<string[]> {
  const violations: string[] = []
  const check = (isRight: boolean, violation: string): void => {
    if (!isRight) violations.push(violation)
  }
  const plain = await exporter.handleMetrics({ headers: { accept: 'application/openmetrics-text; version=1.0.0' } })
  check(plain.status === 200, `want status 200, got ${plain.status}: ${textOf(plain)}`)
  if (violations.length > 0) return violations
  check(plain.headers['content-type'] === metricsContentType, `want text 0.0.4 whatever is accepted, got ${plain.headers['content-type']}`)
  check(plain.headers['content-encoding'] === undefined, 'want no encoding without Accept-Encoding')
  checkBody(plain.body, options, check)
  await checkEncodings(exporter, check)
  await checkSelection(exporter, options.collector, check)
  return violations
}

type Check = (isRight: boolean, violation: string) => void

function checkBody(body: Uint8Array, options: ConformanceOptions, check: Check): void {
  let families: MetricFamily[]
  try {
    families = parseFamilies(body)
  } catch (error) {
    check(false, `want valid text format, got ${String(error)}`)
    return
  }
  const names = families.map(({ name }) => name)
  check(names.join() === names.toSorted().join(), 'want families sorted by name')
  const helps = new TextDecoder().decode(body).match(/^# HELP /gm)?.length ?? 0
  check(helps === families.length, `want one HELP line per family, got ${helps} for ${families.length}`)
  for (const family of families) checkFamily(family, options, check)
}

function checkFamily(family: MetricFamily, options: ConformanceOptions, check: Check): void {
  const { inventory, isDynamicLabel, isDynamicName } = options
  const { name, samples, type } = family
  check(!name.startsWith('go_'), `want no Go runtime metrics, got ${name}`)
  const keys = samples.map(({ suffix, labels }) => `${suffix}{${labels.join()}}`)
  check(new Set(keys).size === keys.length, `want each sample of ${name} once`)
  for (const { hasTimestamp, value } of samples) {
    check(!hasTimestamp || options.hasTimestamps === true, `want no timestamps, got one in ${name}`)
    check(type !== 'counter' || !(value < 0), `want no negative counter, got ${name} ${value}`)
  }
  if (inventory === undefined) return
  const rows = inventory.filter((row) => row.metric === name && (row.source !== 'live' || row.isDefault))
  if (rows.length === 0) {
    check(isDynamicName?.(name) === true, `want only families that the original has, got ${name}`)
    return
  }
  check(
    rows.some((row) => row.type === type),
    `want type ${rows[0]!.type} for ${name}, got ${type}`,
  )
  const known = new Set(rows.flatMap((row) => row.labels))
  for (const { labels } of samples) {
    for (let i = 0; i < labels.length; i += 2) {
      const label = labels[i]!
      const isKnown = known.has(label) || label === 'le' || label === 'quantile' || isDynamicLabel?.(label) === true
      check(isKnown, `want labels ${[...known].join()} on ${name}, got ${label}`)
    }
  }
}

async function checkEncodings(exporter: Exporter, check: Check): Promise<void> {
  const zipped = await exporter.handleMetrics({ headers: { 'accept-encoding': 'gzip, deflate' } })
  check(zipped.headers['content-encoding'] === 'gzip' && isExposition(gunzipSync(zipped.body)), 'want gzip when asked for')
  const zstd = await exporter.handleMetrics({ headers: { 'accept-encoding': 'zstd' } })
  check(zstd.headers['content-encoding'] === 'zstd' && isExposition(zstdDecompressSync(zstd.body)), 'want zstd when asked for')
  const refused = await exporter.handleMetrics({ headers: { 'accept-encoding': 'gzip;q=0, identity' } })
  check(refused.headers['content-encoding'] === undefined, 'want no gzip when refused')
}

async function checkSelection(exporter: Exporter, collector: string, check: Check): Promise<void> {
  const ask = (query: string): Promise<MetricsResponse> => exporter.handleMetrics({ query: new URLSearchParams(query) })
  const one = await ask(`collect[]=${collector}`)
  check(one.status === 200, `want 200 for collect[]=${collector}, got ${one.status}`)
  const without = await ask(`exclude[]=${collector}`)
  check(without.status === 200, `want 200 for exclude[]=${collector}, got ${without.status}`)
  const both = await ask(`collect[]=${collector}&exclude[]=${collector}`)
  check(both.status === 400, `want 400 for collect[] with exclude[], got ${both.status}`)
  const unknown = await ask('collect[]=no_such_collector')
  check(unknown.status === 400, `want 400 for an unknown collector, got ${unknown.status}`)
}

function isExposition(body: Uint8Array): boolean {
  return textOf({ body }).startsWith('# HELP ')
}

function textOf({ body }: { readonly body: Uint8Array }): string {
  return new TextDecoder().decode(body)
}

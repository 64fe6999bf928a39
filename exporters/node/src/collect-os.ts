import { NoDataError, type CollectContext, type Collector, type MetricWriter } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'

// Labels of node_os_info; the key in the file is the same in upper case.
const infoLabels = [
  'build_id',
  'id',
  'id_like',
  'image_id',
  'image_version',
  'name',
  'pretty_name',
  'variant',
  'variant_id',
  'version',
  'version_codename',
  'version_id',
]

export function createOsCollector(environment: NodeEnvironment): Collector {
  const { files } = environment
  const paths = ['etc/os-release', 'usr/lib/os-release'].map((name) => environment.rootfsPath(name))
  let cachedText: string | undefined
  let cached: OsRelease | undefined

  function collect({ writer }: CollectContext): void {
    const bytes = files.readIfThere(paths[0]!) ?? files.readIfThere(paths[1]!)
    if (bytes === undefined) throw new NoDataError('no os-release file found')
    const text = bytes.toString('utf8')
    if (cached === undefined || text !== cachedText) {
      cached = describeRelease(parseOsRelease(text))
      cachedText = text
    }
    writeRelease(writer, cached)
  }

  return { name: 'os', defaultOn: true, collect }
}

export function writeRelease(writer: MetricWriter, release: OsRelease): void {
  writer.family('node_os_info', 'What the os-release file says, as labels.', 'gauge')
  writer.sample(1, release.labels)
  if (!Number.isNaN(release.supportEndSeconds)) {
    writer.family('node_os_support_end_timestamp_seconds', 'End of support of the operating system in Unix time.', 'gauge')
    writer.sample(release.supportEndSeconds)
  }
  if (release.version > 0) {
    writer.family('node_os_version', 'Major and minor version of the operating system.', 'gauge')
    writer.sample(release.version, release.versionLabels)
  }
}

export interface OsRelease {
  readonly labels: readonly string[]
  readonly versionLabels: readonly string[]
  readonly version: number
  readonly supportEndSeconds: number
}

/** `values`: keys as in os-release(5). */
export function describeRelease(values: ReadonlyMap<string, string>): OsRelease {
  const get = (key: string): string => values.get(key.toUpperCase()) ?? ''
  return {
    labels: infoLabels.flatMap((label) => [label, get(label)]),
    versionLabels: ['id', get('id'), 'id_like', get('id_like'), 'name', get('name')],
    version: Number(/^[0-9]+\.?[0-9]*/.exec(get('version_id'))?.[0] ?? 0),
    supportEndSeconds: /^\d{4}-\d{2}-\d{2}$/.test(get('support_end')) ? Date.parse(`${get('support_end')}T00:00:00Z`) / 1000 : NaN,
  }
}

/** os-release(5): shell assignments whose values may be quoted and hold backslash escapes. */
export function parseOsRelease(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Za-z0-9_]+)=(.*?)\s*$/.exec(line)
    if (match !== null) values.set(match[1]!, unquote(match[2]!))
  }
  return values
}

function unquote(value: string): string {
  const quote = value[0]
  if (quote === "'" && value.endsWith("'") && value.length >= 2) return value.slice(1, -1)
  const inner = quote === '"' && value.endsWith('"') && value.length >= 2 ? value.slice(1, -1) : value
  return inner.replace(/\\(.)/g, '$1')
}

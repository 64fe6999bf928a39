import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { NodeEnvironment } from './environment.ts'
import { parseInteger } from './number-file.ts'

export const sysctlFlags: readonly FlagSpec[] = [
  {
    name: 'collector.sysctl.include',
    type: 'string',
    repeatable: true,
    help: 'Sysctl with numbers to include: NAME, or NAME:KEY,KEY,… for several values.',
  },
  { name: 'collector.sysctl.include-info', type: 'string', repeatable: true, help: 'Sysctl with texts to include as info metric.' },
]

interface Sysctl {
  readonly name: string
  readonly path: string
  readonly metric: string
  /** Suffixes for the values, in their order; empty: an `index` label if there are several. */
  readonly keys: readonly string[]
}

export function createSysctlCollector(environment: NodeEnvironment): Collector {
  const { files, flags } = environment
  const numeric = flags.strings('collector.sysctl.include').map(parse)
  const textual = flags.strings('collector.sysctl.include-info').map(parse)

  function parse(include: string): Sysctl {
    const colon = include.indexOf(':')
    const name = colon < 0 ? include : include.slice(0, colon)
    return {
      name,
      path: environment.procPath(`sys/${name.replaceAll('.', '/')}`),
      metric: `node_sysctl_${name.replaceAll(/[^a-zA-Z0-9_:]/g, '_')}`,
      keys: colon < 0 ? [] : include.slice(colon + 1).split(','),
    }
  }

  // One that fails does not cost those behind it.
  function collect({ writer }: CollectContext): void {
    let firstError: unknown
    const attempt = (write: () => void): void => {
      try {
        write()
      } catch (error) {
        firstError ??= error
      }
    }
    for (const sysctl of numeric) attempt(() => writeNumbers(writer, sysctl, readValues(sysctl)))
    for (const sysctl of textual) attempt(() => writeTexts(writer, sysctl, readValues(sysctl)))
    if (firstError !== undefined) throw firstError
  }

  function readValues({ path, name, keys }: Sysctl): string[] {
    const values = files
      .read(path)
      .toString('utf8')
      .split(/\s+/)
      .filter((value) => value !== '')
    if (values.length === 0) throw new Error(`cannot read sysctl ${name}: want a value, got none`)
    if (keys.length > 0 && values.length !== keys.length) {
      throw new Error(`cannot read sysctl ${name}: want ${keys.length} values (${keys.join()}), got ${values.length}`)
    }
    // The original refuses a key for a single value: its name would say less than the sysctl's.
    if (keys.length > 0 && values.length === 1) throw new Error(`cannot name sysctl ${name} by key: want several values, got one`)
    return values
  }

  return { name: 'sysctl', defaultOn: false, collect }
}

function writeNumbers(writer: MetricWriter, sysctl: Sysctl, texts: readonly string[]): void {
  const values = texts.map((text) => {
    const value = parseInteger(text)
    if (value === undefined) throw new Error(`cannot read sysctl ${sysctl.name}: want integers, got ${JSON.stringify(text)}`)
    return value
  })
  const help = `Value of sysctl ${sysctl.name}.`
  if (sysctl.keys.length > 0) {
    values.forEach((value, index) => {
      writer.family(`${sysctl.metric}_${sysctl.keys[index]!}`, help, 'untyped')
      writer.sample(value)
    })
    return
  }
  writer.family(sysctl.metric, help, 'untyped')
  if (values.length === 1) writer.sample(values[0]!)
  else values.forEach((value, index) => writer.sample(value, ['index', String(index)]))
}

function writeTexts(writer: MetricWriter, { name, keys }: Sysctl, texts: readonly string[]): void {
  if (keys.length > 0) throw new Error(`cannot name sysctl ${name} by key: want numbers (--collector.sysctl.include), got texts`)
  writer.family('node_sysctl_info', 'Texts of sysctls, as labels.', 'gauge')
  texts.forEach((text, index) => writer.sample(1, ['index', String(index), 'name', name, 'value', text]))
}

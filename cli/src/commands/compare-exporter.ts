import { compileRegex, type AnchoredRegex } from '@narthex/model/regex'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { compareFamilies, type FamilyComparison, type Families } from '../compare/compare-families.ts'
import { countOf, describeComparison, isAddition } from '../compare/describe-families.ts'
import { createExporterClient, parseExporterAddress, readExporter, type ExporterAddress } from '../compare/read-exporter.ts'
import { versionText } from '../version.ts'
import { failureCode } from './check-output.ts'

// narthex compare exporter FIRST SECOND: reads two exporters and lists every family, label set and value that differs.

const name = 'narthex compare exporter'
const unreadableCode = 2

/** Readings further apart than this are told: values may differ by what happened meanwhile. */
const apartMsMax = 1000

/** What exporters say of themselves: two programs differ there whatever they watch. */
const ownFamilies = compileRegex(
  '(go|process|promhttp)_.*|.*_?exporter_.*|.*exporter_build_info|node_scrape_collector_.*|redis_target_scrape_.*|cadvisor_version_info',
)

export async function runCompareExporter(argv: readonly string[]): Promise<void> {
  const { values, arguments: positional } = parseFlags(
    {
      name,
      help: 'Reads two exporters (the one in use first) and lists every family, label set and value that differs. Exit code: 0 same, 1 different, 2 not readable.',
      version: versionText(name),
      flags: {
        comparesValues: flag.boolean('values', 'Compare values too.', { default: true }),
        isTwice: flag.boolean('twice', 'Read the first before and after the second: its values must lie between.'),
        tolerances: flag.list(
          'tolerance',
          'Share by which values may differ, or REGEX=SHARE for some families; can be repeated, the last that fits counts.',
          {
            placeholder: '[REGEX=]SHARE',
          },
        ),
        ignored: flag.list('ignore', 'Families that are not compared, as a regular expression of the whole name; can be repeated.', {
          placeholder: 'REGEX',
        }),
        ownMetrics: flag.boolean(
          'own-metrics',
          'Also compare what the exporters say of themselves (go_*, process_*, promhttp_*, *exporter_*).',
        ),
        allowsAdditions: flag.boolean('allow-additional', 'What only the second has is told, and is no difference to the exit code.'),
        toldMax: flag.integer('differences-max', 'Samples that are told of one family.', 10),
        headers: flag.list('header', 'Extra header for both, as NAME=VALUE; can be repeated.'),
        skipsVerify: flag.boolean('insecure-skip-verify', 'Do not check certificates.'),
        timeoutMs: flag.durationMs('timeout', 'Longest time for an answer.', '30s'),
      },
      arguments: [
        { name: 'first', help: 'The exporter in use: http://host:port/metrics, https://…, unix:/path.sock:/metrics or file:PATH.' },
        { name: 'second', help: 'The exporter that is to take its place.' },
      ],
      exitCodes: { usage: unreadableCode, value: unreadableCode },
    },
    argv,
  )
  const ignored = values.ignored.map((pattern) => readRegex(pattern, 'ignore'))
  const toleranceOf = readTolerances(values.tolerances)
  const [first, second] = positional.map(readAddress) as [ExporterAddress, ExporterAddress]
  const headers = readHeaders(values.headers)
  const read = await readBoth(first, second, { ...values, headers })
  const comparison = compareFamilies(read.first, read.second, {
    isIgnored: (family) => (!values.ownMetrics && ownFamilies.test(family)) || ignored.some((regex) => regex.test(family)),
    comparesValues: values.comparesValues,
    toleranceOf,
    ...(read.later === undefined ? {} : { later: read.later }),
  })
  const counted = values.allowsAdditions ? comparison.differences.filter((difference) => !isAddition(difference)) : comparison.differences
  const report = describeComparison(comparison, values.toldMax)
  throw new PrintAndExit(`${report}${summarize(comparison)}\n`, counted.length > 0 ? failureCode : 0)
}

interface Readings {
  readonly first: Families
  readonly second: Families
  readonly later: Families | undefined
}

interface ReadOptions {
  readonly isTwice: boolean
  readonly skipsVerify: boolean
  readonly timeoutMs: number
  readonly headers: Readonly<Record<string, string>>
}

async function readBoth(first: ExporterAddress, second: ExporterAddress, options: ReadOptions): Promise<Readings> {
  const client = createExporterClient(options.skipsVerify)
  const read = (address: ExporterAddress): Promise<Families> => readExporter(client, address, options)
  try {
    if (options.isTwice) return { first: await read(first), second: await read(second), later: await read(first) }
    const startMs = performance.now()
    const took = async (address: ExporterAddress) => ({ families: await read(address), ms: performance.now() - startMs })
    const [a, b] = await Promise.all([took(first), took(second)])
    const apartMs = Math.abs(a.ms - b.ms)
    if (apartMs > apartMsMax && first.filePath === undefined && second.filePath === undefined) {
      process.stderr.write(
        `${name}: the answers came ${(apartMs / 1000).toFixed(1)} s apart: values may differ by what happened meanwhile; see --twice\n`,
      )
    }
    return { first: a.families, second: b.families, later: undefined }
  } catch (cause) {
    throw new UserError(`${name}: ${(cause as Error).message}`, unreadableCode, { cause })
  } finally {
    await client.close()
  }
}

function summarize({ differences, families, ignored, moved, same }: FamilyComparison): string {
  const count = (...kinds: readonly string[]): number => differences.filter(({ kind }) => kinds.includes(kind)).length
  const [missing, additional] = [count('missing'), count('additional')]
  const parts = [`${same} same`, `${families - same - missing - additional} different`, `${missing} missing`, `${additional} additional`]
  const notes = [
    ...(ignored === 0 ? [] : [`${countOf(ignored, 'family')} not compared`]),
    ...(moved === 0 ? [] : [`${countOf(moved, 'sample')} changed between the two readings of the first`]),
  ]
  return [`${countOf(families, 'family')}: ${parts.join(', ')}`, ...notes].join('; ')
}

function readAddress(text: string): ExporterAddress {
  try {
    return parseExporterAddress(text)
  } catch (cause) {
    throw new UserError(`${name}: ${(cause as Error).message}`, unreadableCode, { cause })
  }
}

function readRegex(pattern: string, flagName: string): AnchoredRegex {
  try {
    return compileRegex(pattern)
  } catch (cause) {
    throw new UserError(`${name}: cannot use --${flagName}=${pattern}: ${(cause as Error).message}`, unreadableCode, { cause })
  }
}

function readTolerances(texts: readonly string[]): (family: string) => number {
  const rules = texts.map((text) => {
    const equals = text.lastIndexOf('=')
    const share = Number(text.slice(equals + 1))
    if (text.slice(equals + 1).trim() === '' || !(share >= 0)) {
      throw new UserError(`${name}: cannot use --tolerance=${text}: want a number from 0 on, or REGEX=NUMBER`, unreadableCode)
    }
    return { regex: equals < 0 ? undefined : readRegex(text.slice(0, equals), 'tolerance'), share }
  })
  return (family) => rules.findLast(({ regex }) => regex === undefined || regex.test(family))?.share ?? 0
}

function readHeaders(texts: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const text of texts) {
    const equals = text.indexOf('=')
    if (equals <= 0) throw new UserError(`${name}: cannot use --header=${text}: want NAME=VALUE`, unreadableCode)
    headers[text.slice(0, equals)] = text.slice(equals + 1)
  }
  return headers
}

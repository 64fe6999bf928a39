import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { exporterKinds } from '../bench/exporter-contenders.ts'
import { formatFindings, torture } from './agent/torture.ts'
import { formatReport, scrapeOften } from './exporters/many-scrapes.ts'
import { runFullDisk } from './storage/full-disk.ts'
import { formatPressure, fullPressure, runPressure } from './storage/pressure.ts'
import { NoSmallDiskError } from './storage/small-disk.ts'
import { runStorageDamage } from './storage/storage-damage.ts'
import { seededRandom } from './agent/scenario.ts'
import { ensurePrograms } from '../kit/packages.ts'

// npm run faults [-- NAME [COUNT] [OPTION ...]]: lists the long trials, or runs one in full. `npm test` runs a seeded share of each.
//
// agent takes --program narthex|prometheus|vmagent, --only SCENARIO (repeatable) and --seed N: the same torture for any of them, one table.

interface Trial {
  readonly what: string
  readonly count: number
  /** Each takes a value, and may stand several times. */
  readonly options: readonly string[]
  run(count: number, args: readonly string[]): boolean | Promise<boolean>
}

const vitest = join('node_modules', 'vitest', 'vitest.mjs')

function runTests(args: readonly string[], environment: Readonly<Record<string, string>>): boolean {
  const result = spawnSync(process.execPath, [vitest, 'run', ...args], { stdio: 'inherit', env: { ...process.env, ...environment } })
  return result.status === 0
}

const trials: Readonly<Record<string, Trial>> = {
  agent: {
    what: 'torture of an agent: kills, reloads, outages, full disks, refusals; of narthex, prometheus or vmagent',
    count: 200,
    options: ['--program', '--only', '--seed'],
    run: tortureAgent,
  },
  'agent-kills': {
    what: 'SIGKILLs of the agent under load with a flaky receiver: no sample lost, every series in order',
    count: 200,
    options: [],
    run: (count) =>
      runTests(['agent/src/send/crash.test.ts', '--testTimeout=3600000'], {
        NARTHEX_KILLS: String(count),
        NARTHEX_SEED: String(Date.now() % 1_000_000),
      }),
  },
  'compaction-kills': {
    what: 'SIGKILLs of the storage while it cuts, merges, deletes and drops blocks: every acknowledged sample is there, once, and promtool reads it',
    count: 200,
    options: [],
    run: (count) =>
      runTests(['remote-write/tsdb/src/compact/compactor.crash.test.ts', '--testTimeout=3600000'], {
        NARTHEX_KILLS: String(count),
        NARTHEX_SEED: String(Date.now() % 1_000_000),
      }),
  },
  'exporter-scrapes': {
    what: 'scrapes of each exporter: its memory in their last quarter is that of the second one, within 2 MB',
    count: 100_000,
    options: ['--only', '--seed'],
    run: scrapeExporters,
  },
  'full-disk': {
    what: 'full disks while the storage ingests, cuts, merges, makes checkpoints, deletes and starts: nothing lost or damaged, writes go on (root)',
    count: 60,
    options: ['--seed'],
    run: fillDisks,
  },
  pressure: {
    what: 'a server in a box of 1 GiB: tenfold churn, a label with a million values, queries for many GB: refusals with reasons, p99 of appends 50 ms',
    count: 1_000_000,
    options: [],
    run: press,
  },
  'storage-damage': {
    what: 'bit flips and cut files of every kind in a data directory: no wrong value, what is missing is named and lay in the damaged part',
    count: 10_000,
    options: ['--seed'],
    run: damageStorage,
  },
  'server-kills': {
    what: 'SIGKILLs of the server in mid-ingest: every acknowledged sample is found again',
    count: 20,
    options: [],
    run(count) {
      for (let i = 0; i < count; i++) if (!runTests(['test/e2e/server.service.test.ts', '-t', 'SIGKILL'], {})) return false
      return true
    },
  },
}

async function tortureAgent(count: number, args: readonly string[]): Promise<boolean> {
  const program = optionOf(args, '--program')[0] ?? 'narthex'
  const seed = Number(optionOf(args, '--seed')[0] ?? Date.now() % 1_000_000)
  ensurePrograms((line) => console.error(line))
  console.log(`seed ${seed}`)
  const findings = await torture({ program, count, seed, only: optionOf(args, '--only'), print: (line) => console.log(line) })
  console.log(`\n${formatFindings(program, findings)}`)
  return findings.every(({ ok }) => ok !== false)
}

async function scrapeExporters(count: number, args: readonly string[]): Promise<boolean> {
  ensurePrograms((line) => console.error(line))
  const only = optionOf(args, '--only')
  const kinds = exporterKinds.filter((kind) => only.length === 0 || only.includes(kind))
  if (kinds.length === 0) throw new Error(`cannot scrape ${only.join(', ')}: want some of ${exporterKinds.join(', ')}`)
  const seed = printSeed(args)
  let isFlat = true
  for (const kind of kinds) {
    const report = await scrapeOften({ kind, count, random: seededRandom(seed) })
    console.log(formatReport(report))
    if (report.lateBytes - report.earlyBytes > 2e6) isFlat = false
  }
  return isFlat
}

async function fillDisks(count: number, args: readonly string[]): Promise<boolean> {
  ensurePrograms((line) => console.error(line))
  const report = await runFullDisk({ rounds: count, random: seededRandom(printSeed(args)), print: (line) => console.log(line) })
  const { rounds, problems, resumeMsWorst, hits } = report
  const phases = [...hits].map(([phase, hit]) => `${phase} ${hit}`).join(', ')
  console.log(`${rounds} full disks, in which something failed for want of room: ${phases}`)
  console.log(`writes go on after ${resumeMsWorst.toFixed(0)} ms at most, ${problems.length} problems`)
  return problems.length === 0
}

async function press(valueCount: number): Promise<boolean> {
  const report = await runPressure({ ...fullPressure, valueCount, print: (line) => console.log(line) })
  for (const line of formatPressure(report)) console.log(line)
  return report.problems.length === 0 && report.queriesRefused > 0 && report.seriesRefused > 0 && report.p99Ms <= 50
}

async function damageStorage(count: number, args: readonly string[]): Promise<boolean> {
  const { trials, problems, byKind, slowestMs, rssBytes } = await runStorageDamage({
    ...{ trials: count, random: seededRandom(printSeed(args)), print: (line: string) => console.log(line) },
  })
  for (const [kind, { trials: tried, losses }] of byKind) console.log(`${kind.padEnd(12)} ${tried} damaged, ${losses} with a loss`)
  console.log(
    `${trials} trials, the slowest ${slowestMs.toFixed(0)} ms, at most ${Math.round(rssBytes / 2 ** 20)} MiB, ${problems.length} problems`,
  )
  return problems.length === 0
}

function printSeed(args: readonly string[]): number {
  const seed = Number(optionOf(args, '--seed')[0] ?? Date.now() % 1_000_000)
  console.log(`seed ${seed}`)
  return seed
}

/** What is wrong with the words behind a trial's name, undefined if nothing is. */
function findWrongWord(trial: Trial, words: readonly string[]): string | undefined {
  const rest = /^\d+$/.test(words[0] ?? '') ? words.slice(1) : words
  for (let i = 0; i < rest.length; i++) {
    const [option, value] = rest[i]!.split('=', 2)
    if (!trial.options.includes(option!)) return `want ${['COUNT', ...trial.options].join(', ')}, got ${JSON.stringify(rest[i])}`
    if (value === undefined && rest[++i] === undefined) return `want a value behind ${option}`
  }
  return undefined
}

function optionOf(args: readonly string[], name: string): string[] {
  return args.flatMap((arg, i) =>
    arg === name && args[i + 1] !== undefined ? [args[i + 1]!] : arg.startsWith(`${name}=`) ? [arg.slice(name.length + 1)] : [],
  )
}

const [name, ...args] = process.argv.slice(2)
const trial = name === undefined ? undefined : Object.hasOwn(trials, name) ? trials[name] : undefined
const wrongWord = trial === undefined ? undefined : findWrongWord(trial, args)
if (name === undefined || name === '--help' || args.includes('--help')) {
  console.log('npm run faults -- NAME [COUNT] [OPTION VALUE ...]\n')
  for (const [key, { what, count, options }] of Object.entries(trials)) {
    console.log(`${key.padEnd(14)} ${what} (COUNT ${count}${options.length === 0 ? '' : `; ${options.join(', ')}`})`)
  }
} else if (trial === undefined) {
  console.error(`cannot run trial ${JSON.stringify(name)}: want one of ${Object.keys(trials).join(', ')}`)
  process.exitCode = 1
} else if (wrongWord !== undefined) {
  console.error(`cannot run trial ${name}: ${wrongWord}`)
  process.exitCode = 1
} else {
  const count = args[0] !== undefined && /^\d+$/.test(args[0]) ? Number(args[0]) : trial.count
  try {
    process.exitCode = (await trial.run(count, args)) ? 0 : 1
  } catch (error) {
    if (!(error instanceof NoSmallDiskError)) throw error
    console.error(`cannot run trial ${name}: ${error.message}`)
    process.exitCode = 1
  }
}

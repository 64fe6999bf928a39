import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { launcher } from '../kit/narthex.ts'
import { findFreePort, makeTemporaryDirectory, startProcess, waitFor, type RunningProcess } from '../kit/process.ts'
import type { Service } from '../kit/services.ts'
import { Bounds } from './bounds.ts'
import { buildOwn, exporterKinds, exporterPrograms, startSubject, type ExporterKind, type ExporterProgram } from './exporter-contenders.ts'
import { HelperProcess, sleep } from './helper-process.ts'
import { describeMachine, readTreeUsage } from './measure.ts'
import { ScrapeClient, waitForFirstScrape } from './scrape-clients.ts'

// Exporters with their default collectors, ours and the official one on the same service, asked in turns over a kept connection. Then all five in
// the process of an agent that scrapes them each second and sends to a sink. Our exporters are scripts of the bundle of `npm run build`, started with
// the launcher's variables for the allocator; the agent is what `bin/narthex` makes of a clone.

const want = { cpu: 1, latency: 1, anonymousMb: 30, firstScrapeMs: 300, residentMb: 130 }

interface Size {
  /** Turns of each program, and scrapes in each. */
  readonly rounds: number
  readonly scrapes: number
  readonly warmUp: number
  readonly agentSeconds: number
}

interface Figures {
  readonly program: ExporterProgram
  readonly cpuMs: number
  readonly latencyMs: number
  readonly firstScrapeMs: number
  readonly anonymousMb: number
  readonly residentMb: number
  readonly bodyBytes: number
}

export async function benchExporters(args: readonly string[]): Promise<boolean> {
  const isSmoke = args.includes('--smoke')
  const chosen = readKinds(args.filter((argument) => argument !== '--smoke'))
  const size: Size = isSmoke
    ? { rounds: 2, scrapes: 20, warmUp: 20, agentSeconds: 5 }
    : { rounds: 12, scrapes: 50, warmUp: 200, agentSeconds: 30 }
  const bounds = new Bounds(isSmoke)
  buildOwn()
  console.log(describeMachine())
  console.log(`exporters: ${size.rounds} turns of ${size.scrapes} scrapes each after ${size.warmUp}, default collectors\n`)
  console.log('| program | CPU ms a scrape | median latency | first scrape | RssAnon | RSS | bytes | ours/official CPU | latency |')
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |')
  const subjects = new Map<ExporterKind, Service>()
  try {
    for (const kind of exporterKinds) {
      if (!chosen.includes(kind)) continue
      const subject = await startSubject(kind)
      if (subject !== undefined) subjects.set(kind, subject)
      await benchKind(kind, subject, size, bounds)
    }
    if (chosen.length === exporterKinds.length) await benchTogether(subjects, size, bounds)
  } finally {
    await Promise.all([...subjects.values()].map((subject) => subject.stop()))
  }
  return bounds.print()
}

function readKinds(names: readonly string[]): readonly ExporterKind[] {
  const kinds = exporterKinds.filter((kind) => names.includes(kind))
  if (kinds.length !== names.length) {
    throw new Error(`cannot read arguments ${names.join(' ')}: want --smoke or some of ${exporterKinds.join(', ')}`)
  }
  return names.length === 0 ? exporterKinds : kinds
}

async function benchKind(kind: ExporterKind, subject: Service | undefined, size: Size, bounds: Bounds): Promise<void> {
  const programs = exporterPrograms(kind, subject)
  // The first start of all fills the caches that a start from a clone has.
  await (await startExporter(programs[0])).running.stop()
  const [ours, official] = await measureInTurns(programs, 'identity', size)
  print(ours, official, '')
  if (official !== undefined) {
    bounds.atMost(`${kind}, CPU / ${official.program.name}`, ours.cpuMs / official.cpuMs, want.cpu, '×')
    bounds.atMost(`${kind}, median latency / ${official.program.name}`, ours.latencyMs / official.latencyMs, want.latency, '×')
  }
  bounds.atMost(`${kind}, RssAnon`, ours.anonymousMb, want.anonymousMb, 'MB')
  if (kind === 'node') bounds.atMost(`${kind}, first scrape after the start`, ours.firstScrapeMs, want.firstScrapeMs, 'ms')
  const [oursPacked, officialPacked] = await measureInTurns(programs, 'gzip', size)
  print(oursPacked, officialPacked, ', gzip')
  if (officialPacked !== undefined) {
    bounds.atMost(`${kind}, CPU / ${officialPacked.program.name}, gzip`, oursPacked.cpuMs / officialPacked.cpuMs, want.cpu, '×')
  }
}

interface StartedExporter {
  readonly running: RunningProcess
  readonly port: number
  readonly firstScrapeMs: number
}

async function startExporter({ command, args, environment }: ExporterProgram): Promise<StartedExporter> {
  const port = await findFreePort()
  const startMs = performance.now()
  const flags = [...args, `--web.listen-address=127.0.0.1:${port}`]
  const running = startProcess(command, flags, { env: { ...process.env, ...environment } })
  try {
    return { running, port, firstScrapeMs: await waitForFirstScrape(port, startMs, 60_000) }
  } catch (cause) {
    await running.stop()
    throw new Error(`cannot start ${command} ${flags.join(' ')}: ${running.output()}`, { cause })
  }
}

/** Turns are short, so that a busy minute of the machine hits both alike. */
async function measureInTurns(
  [ours, official]: readonly [ExporterProgram, ExporterProgram?],
  encoding: 'gzip' | 'identity',
  size: Size,
): Promise<readonly [Figures, Figures?]> {
  const first = await measured(ours, encoding)
  const second = official === undefined ? undefined : await measured(official, encoding)
  const both = second === undefined ? [first] : [first, second]
  try {
    for (const { client } of both) await client.scrape(size.warmUp)
    for (const { client } of both) client.milliseconds.length = 0
    for (let round = 0; round < size.rounds; round++) for (const one of both) await takeTurn(one, size.scrapes)
    return second === undefined ? [figuresOf(first, size)] : [figuresOf(first, size), figuresOf(second, size)]
  } finally {
    await Promise.all(both.map(({ started, client }) => (client.close(), started.running.stop())))
  }
}

interface Measured {
  readonly program: ExporterProgram
  readonly started: StartedExporter
  readonly client: ScrapeClient
  cpuSeconds: number
  /** After each turn. */
  readonly anonymousBytes: number[]
}

async function measured(program: ExporterProgram, encoding: 'gzip' | 'identity'): Promise<Measured> {
  const started = await startExporter(program)
  return { program, started, client: new ScrapeClient(started.port, encoding), cpuSeconds: 0, anonymousBytes: [] }
}

async function takeTurn(one: Measured, scrapes: number): Promise<void> {
  const before = readTreeUsage(one.started.running.pid).cpuSeconds
  await one.client.scrape(scrapes)
  const { cpuSeconds, anonymousBytes } = readTreeUsage(one.started.running.pid)
  one.cpuSeconds += cpuSeconds - before
  one.anonymousBytes.push(anonymousBytes)
}

function figuresOf({ program, started, client, cpuSeconds, anonymousBytes }: Measured, size: Size): Figures {
  const { residentBytes } = readTreeUsage(started.running.pid)
  return {
    program,
    cpuMs: (cpuSeconds * 1000) / (size.rounds * size.scrapes),
    latencyMs: median(client.milliseconds),
    firstScrapeMs: started.firstScrapeMs,
    anonymousMb: median(anonymousBytes) / 1e6,
    residentMb: residentBytes / 1e6,
    bodyBytes: client.bodyBytes,
  }
}

function print(ours: Figures, official: Figures | undefined, note: string): void {
  for (const figures of official === undefined ? [ours] : [ours, official]) {
    const { program, cpuMs, latencyMs, firstScrapeMs, anonymousMb, residentMb, bodyBytes } = figures
    const own = [cpuMs.toFixed(2), `${latencyMs.toFixed(2)} ms`, `${firstScrapeMs.toFixed(0)} ms`, `${anonymousMb.toFixed(1)} MB`]
    const ratios =
      official !== undefined && figures === official
        ? [`${(ours.cpuMs / official.cpuMs).toFixed(2)} ×`, `${(ours.latencyMs / official.latencyMs).toFixed(2)} ×`]
        : ['', '']
    console.log(
      `| ${program.name} ${program.version}${note} | ${[...own, `${residentMb.toFixed(0)} MB`, bodyBytes, ...ratios].join(' | ')} |`,
    )
  }
}

/** All exporters in the process of one agent. */
async function benchTogether(subjects: ReadonlyMap<ExporterKind, Service>, size: Size, bounds: Bounds): Promise<void> {
  const temporary = makeTemporaryDirectory('narthex-bench-')
  const sink = await HelperProcess.start('scrape-sink.ts', [])
  const port = await findFreePort()
  writeFileSync(
    join(temporary.path, 'agent.yml'),
    `global: { scrape_interval: 1s, scrape_timeout: 1s }
exporters:
  node: { name: bench }
  redis: { name: bench, address: '127.0.0.1:${subjects.get('redis')!.port}' }
  nginx: { name: bench, uri: '${subjects.get('nginx')!.url}/stub_status' }
  mysql: { name: bench, socket: '${subjects.get('mysql')!.directory}/s.sock', username: root }
  container: { name: bench, flags: { docker: 'unix://${subjects.get('container')!.directory}/docker.sock' } }
remote_write:
  - url: http://127.0.0.1:${sink.port}/api/v1/write
`,
  )
  const storage = [`--config.file=${temporary.path}/agent.yml`, `--storage.agent.path=${temporary.path}/data`]
  const running = startProcess(launcher, ['agent', ...storage, `--web.listen-address=127.0.0.1:${port}`])
  try {
    const up = /^((node_uname_info|redis_up|nginx_up|mysql_up)(\{.*\})? 1|container_memory_rss\{.*name="bench-0".*)$/m
    for (const kind of exporterKinds) {
      const address = `http://127.0.0.1:${port}/exporters/${kind}/bench/metrics`
      await waitFor(`the agent's ${kind} exporter`, async () => up.test(await (await fetch(address)).text()), { process: running })
    }
    await sleep(size.agentSeconds * 1000)
    const residentMb = readTreeUsage(running.pid).residentBytes / 1e6
    const { samples = 0 } = await sink.figures()
    console.log(`\nall five in one agent: ${residentMb.toFixed(0)} MB RSS after ${size.agentSeconds} s, ${samples} samples sent`)
    bounds.atMost('agent with all five exporters, RSS', residentMb, want.residentMb, 'MB')
    bounds.atLeast('samples that it sent, a second', samples / size.agentSeconds, 1_000, '')
  } finally {
    await running.stop()
    await sink.stop()
    temporary.remove()
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >>> 1] ?? NaN
}

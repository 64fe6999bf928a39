import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { makeTemporaryDirectory } from '../../kit/process.ts'
import { readDurableSizes } from './durable-sizes.ts'
import type { Exposed } from './ledger.ts'
import { listExamples, sleep, World, type Finding, type Scenario, type Torture } from './scenario.ts'

// What happens to the disk: a cap, a full file system, a power cut.

/** A long outage against a small cap: the buffer stays within it and the counter says exactly what went. */
async function cap({ program, count }: Torture): Promise<Finding> {
  const world = await World.open(program, { targets: 10, series: 1000, intervalMs: 200 })
  const bytesMax = count < 50 ? 2 ** 20 / 2 : 2 ** 21
  const isOurs = program.name === 'narthex'
  let worst = 0
  try {
    world.receiver.behaviour = { kind: 'down' }
    await world.start({ bytesMax })
    const end = performance.now() + (count < 50 ? 45_000 : 200_000)
    // Until three times the cap has gone through: two thirds of what was scraped are gone.
    while (performance.now() < end) {
      await sleep(500)
      worst = Math.max(worst, world.diskBytes())
      if (isOurs && (await readLost(world)) > (2 / 3) * world.exposedAnswers * world.shape.seriesPerTarget) break
    }
    await world.stopScraping()
    world.receiver.behaviour = { kind: 'ok' }
    const { committed, missing } = await world.settle()
    const lost = isOurs ? await readLost(world) : undefined
    const isExact = lost === undefined || (await countsExactly(world, lost))
    return {
      guarantee: 'G4',
      scenario: `outage against a cap of ${bytesMax / 2 ** 20} MiB`,
      figures: `disk at most ${(worst / 2 ** 20).toFixed(2)} MiB, ${missing} of ${committed} missing, ${lost ?? 'not'} counted as lost${lost === undefined ? '' : isExact ? ', which is all' : ', which is not all'}`,
      ok: worst <= bytesMax + Math.max(2 ** 18, bytesMax / 8) && isExact,
    }
  } finally {
    await world.close()
  }
}

/**
 * Nothing between the scrapes and the receiver is unaccounted for: what went into the log has arrived or is counted as lost, stale markers and
 * `up` and its like included. The receiver refuses before it stores in this scenario, so nothing arrives twice.
 */
async function countsExactly(world: World, lost: number): Promise<boolean> {
  return (await world.readMetric('prometheus_remote_storage_samples_in_total')) === world.receiver.stored + lost
}

/** A full file system: scraping and sending go on, and the log heals when there is room again. */
async function diskFull({ program }: Torture): Promise<Finding> {
  const mount = makeTemporaryDirectory('narthex-full-')
  runProgram('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', mount.path])
  const world = await World.open(program, { directory: `${mount.path}/data` })
  try {
    // The second remote is away: without a disk its samples wait in memory.
    await world.start()
    await sleep(1000)
    fillDisk(`${mount.path}/ballast`)
    const fullFrom = world.exposedAnswers
    await sleep(5000)
    const whileFull = world.exposedAnswers - fullFrom
    const expected = (5000 / world.intervalMs) * world.shape.targets
    world.receiver.behaviour = { kind: 'down' }
    await sleep(2000)
    rmSync(`${mount.path}/ballast`)
    const freedMs = performance.now()
    const healedMs = program.name === 'narthex' ? await untilWriting(world, freedMs) : undefined
    // What was kept in memory must be on the disk now.
    await sleep(500)
    await world.kill()
    await world.start()
    world.receiver.behaviour = { kind: 'ok' }
    const { committed, missing, examples } = await world.drain(20_000)
    return {
      guarantee: 'G5',
      scenario: 'full 20 MB file system, then SIGKILL',
      figures: `${whileFull} of about ${expected} scrapes while full, ${committed} committed, ${missing} missing${listExamples(examples)}${healedMs === undefined ? '' : `, writing again after ${healedMs.toFixed(0)} ms`}`,
      ok: missing === 0 && whileFull > expected * 0.9 && (healedMs === undefined || healedMs < 10_000),
    }
  } finally {
    await world.close()
    runProgram('umount', ['-l', mount.path])
    mount.remove()
  }
}

async function untilWriting(world: World, sinceMs: number): Promise<number> {
  while (performance.now() - sinceMs < 15_000) {
    if ((await world.readMetric('narthex_agent_log_writing')) === 1) break
    await sleep(50)
  }
  return performance.now() - sinceMs
}

/** The power goes: of what was written only that stays which was synced. */
async function powerCut({ program, count, random }: Torture): Promise<Finding> {
  const cuts = count < 50 ? 1 : 5
  let worstMs = 0
  let committed = 0
  let missing = 0
  for (let cut = 0; cut < cuts; cut++) {
    const world = await World.open(program)
    const trace = makeTemporaryDirectory('narthex-trace-')
    try {
      world.receiver.behaviour = { kind: 'down' }
      await world.start({ traceFile: join(trace.path, 'calls') })
      await sleep(2500 + random() * 2000)
      const { answers, cutMs } = await cutPower(world, join(trace.path, 'calls'))
      world.receiver.behaviour = { kind: 'ok' }
      await world.start()
      // The backlog of some seconds goes out in a moment.
      await sleep(3000)
      committed += answers.length
      for (const { target, round, atMs } of answers) {
        if (world.receiver.has(target, 0, round)) continue
        missing++
        worstMs = Math.max(worstMs, cutMs - atMs)
      }
    } finally {
      await world.close()
      trace.remove()
    }
  }
  return {
    guarantee: 'G2',
    scenario: `${cuts} power cuts (writes that were not synced are taken back)`,
    figures: `${missing} of ${committed} answers lost, the oldest ${worstMs} ms before the cut`,
    ok: worstMs <= 400 && committed > 0,
  }
}

/** Freezes the program, takes back what it had not synced, and ends it. Gives the answers that it had got. */
async function cutPower(world: World, trace: string): Promise<{ answers: readonly Exposed[]; cutMs: number }> {
  const tracer = world.running!
  const pids = readFileSync(`/proc/${tracer.pid}/task/${tracer.pid}/children`, 'utf8').trim().split(' ').map(Number)
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  const cutMs = Date.now()
  const answers = world.targets.exposed.filter(({ atMs }) => atMs <= cutMs)
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  await tracer.exited
  const durable = readDurableSizes(trace, world.directory, cutMs)
  for (const [path, bytes] of durable) {
    // Deleted and renamed files are not there any more under that name.
    if (existsSync(path) && statSync(path).isFile() && statSync(path).size > bytes) truncateSync(path, bytes)
  }
  world.running = undefined
  return { answers, cutMs }
}

/** What our agent counts as lost for its first remote. */
function readLost(world: World): Promise<number> {
  return world.readMetric('narthex_remote_storage_samples_lost_total')
}

function runProgram(binary: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(binary, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`cannot run ${binary} ${args.join(' ')}: ${stderr ?? error?.message}`)
}

/** Writes until nothing more goes. */
function fillDisk(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (let bytes = 2 ** 20; bytes >= 1;) {
      try {
        if (writeSync(file, Buffer.alloc(bytes, 1)) < bytes) bytes = Math.floor(bytes / 2)
      } catch {
        bytes = Math.floor(bytes / 2)
      }
    }
  } finally {
    closeSync(file)
  }
}

export const diskScenarios: Readonly<Record<string, Scenario>> = { cap, 'disk-full': diskFull, 'power-cut': powerCut }

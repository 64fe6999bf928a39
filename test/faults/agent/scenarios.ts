import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { makeTemporaryDirectory } from '../../kit/process.ts'
import { readDurableSizes } from './durable-sizes.ts'
import type { Exposed } from './ledger.ts'
import { logTrials } from './log-trials.ts'
import { quantile, sleep, World, type Finding, type Scenario, type Torture } from './scenario.ts'

// Every scenario speaks to the program as an operator would: it starts, kills and stops it, and looks at what arrives. So the same ones run
// against any agent.

/** SIGKILLs at random moments while the receiver misbehaves. */
async function kills({ program, count, random }: Torture): Promise<Finding> {
  const world = await World.open(program)
  try {
    world.receiver.behaviour = { kind: 'flaky', random }
    for (let i = 0; i < count; i++) {
      await world.start()
      await sleep(300 + random() * 900)
      await world.kill()
    }
    await world.start()
    world.receiver.behaviour = { kind: 'ok' }
    const { committed, missing, examples } = await world.drain(30_000)
    const { duplicates, orderViolations } = world.receiver
    // A cursor is stored once a second: what came after it may come again, as may what the receiver stored and did not say.
    const perSecond = (world.shape.targets * world.shape.seriesPerTarget * 1000) / world.intervalMs
    const repeatsMax = count * perSecond * 1.25 + world.receiver.unconfirmed
    const perKill = duplicates / count
    return {
      guarantee: 'G1 G3',
      scenario: `${count} SIGKILLs, flaky receiver`,
      figures: `${committed} committed, ${missing} missing${list(examples)}, ${orderViolations} order violations, ${perKill.toFixed(0)} repeated per kill (a second has ${perSecond})`,
      ok: missing === 0 && orderViolations === 0 && duplicates <= repeatsMax,
    }
  } finally {
    await world.close()
  }
}

/** Reloads with changed settings under load: nothing is lost, nothing out of order. */
async function reloads({ program, count, random }: Torture): Promise<Finding> {
  const world = await World.open(program)
  try {
    world.receiver.behaviour = { kind: 'flaky', random }
    await world.start()
    await sleep(1000)
    const path = `${world.directory}.yml`
    const config = readFileSync(path, 'utf8')
    const rounds = Math.max(3, Math.ceil(count / 10))
    for (let i = 0; i < rounds; i++) {
      // External labels and queues change: everything about the remote starts anew.
      writeFileSync(path, config.replace('batch_send_deadline: 100ms', `batch_send_deadline: ${100 + i}ms, min_shards: ${1 + (i % 3)}`))
      world.running!.child.kill('SIGHUP')
      await sleep(500 + random() * 500)
    }
    world.receiver.behaviour = { kind: 'ok' }
    const { committed, missing, examples } = await world.drain(20_000)
    const { orderViolations } = world.receiver
    return {
      guarantee: 'G1 G3',
      scenario: `${rounds} reloads with other shards, flaky receiver`,
      figures: `${committed} committed, ${missing} missing${list(examples)}, ${orderViolations} order violations`,
      ok: missing === 0 && orderViolations === 0,
    }
  } finally {
    await world.close()
  }
}

/** An outage, a restart in the middle of it, and the receiver comes back. */
async function outageAndRestart({ program }: Torture): Promise<Finding> {
  const world = await World.open(program)
  try {
    world.receiver.behaviour = { kind: 'down' }
    await world.start()
    await sleep(4000)
    await world.terminate()
    await world.start()
    await sleep(2000)
    world.receiver.behaviour = { kind: 'ok' }
    const { committed, missing, examples } = await world.drain(30_000)
    return {
      guarantee: 'G1 G15',
      scenario: 'outage with a restart inside it',
      figures: `${committed} committed, ${missing} missing${list(examples)}`,
      ok: missing === 0,
    }
  } finally {
    await world.close()
  }
}

/** SIGTERM while the receiver works: the rest is sent or kept. */
async function sigterm({ program, count, random }: Torture): Promise<Finding> {
  const world = await World.open(program)
  const rounds = Math.max(2, Math.ceil(count / 20))
  let slowestMs = 0
  try {
    world.receiver.behaviour = { kind: 'flaky', random }
    for (let i = 0; i < rounds; i++) {
      await world.start()
      await sleep(600 + random() * 800)
      slowestMs = Math.max(slowestMs, await world.terminate())
    }
    world.receiver.behaviour = { kind: 'ok' }
    await world.start()
    const { committed, missing, examples } = await world.drain(20_000)
    return {
      guarantee: 'G15',
      scenario: `${rounds} SIGTERMs`,
      figures: `${committed} committed, ${missing} missing${list(examples)}, slowest stop ${slowestMs} ms`,
      ok: missing === 0 && slowestMs < 10_000,
    }
  } finally {
    await world.close()
  }
}

/** Of three remotes one swallows everything and one is down: the third and the scrapes do not notice. */
async function blackHole({ program }: Torture): Promise<Finding> {
  const world = await World.open(program, { receivers: 3 })
  try {
    world.receivers[1]!.behaviour = { kind: 'black-hole' }
    world.receivers[2]!.behaviour = { kind: 'down' }
    await world.start()
    await sleep(1000)
    const seenBefore = world.exposedAnswers
    const delays: number[] = []
    const end = performance.now() + 8000
    while (performance.now() < end) {
      await sleep(100)
      delays.push(Date.now() - world.receiver.newestMs)
    }
    const lateness = scrapeLateness(world, seenBefore)
    const worst = quantile(delays, 0.99)
    return {
      guarantee: 'G8',
      scenario: 'three remotes, one black-holed, one down',
      figures: `healthy remote at most ${worst} ms behind (p99), scrapes late by ${lateness.toFixed(1)} ms (p99)`,
      ok: worst < 1500 && lateness < 100,
    }
  } finally {
    await world.close()
  }
}

/** The credentials are refused for a while: nothing may be thrown away. The hold is 30 s in the field, shortened where the program lets us. */
async function authHold({ program }: Torture): Promise<Finding> {
  const world = await World.open(program)
  try {
    const statuses = [401, 403, 404]
    await world.start(program.name === 'narthex' ? { flags: ['--storage.remote.hold-interval=1s'] } : {})
    await sleep(500)
    for (const status of statuses) {
      world.receiver.behaviour = { kind: 'status', status }
      await sleep(1500)
    }
    const before = world.receiver.requestTimes.length
    await sleep(2000)
    const probes = world.receiver.requestTimes.length - before
    world.receiver.behaviour = { kind: 'ok' }
    const { committed, missing, examples } = await world.drain(20_000)
    return {
      guarantee: 'G12',
      scenario: '401, 403, 404 for a while',
      figures: `${committed} committed, ${missing} missing${list(examples)}, ${(probes / 2).toFixed(1)} probes a second`,
      ok: missing === 0,
    }
  } finally {
    await world.close()
  }
}

/** One series is refused for ever. Everything else goes on. */
async function poison({ program }: Torture): Promise<Finding> {
  const world = await World.open(program)
  try {
    world.receiver.behaviour = { kind: 'poison', target: 3, series: 7 }
    await world.start()
    await sleep(4000)
    const exposed = world.targets.exposed.filter(({ target }) => target !== 3).length
    await sleep(1500)
    const behind = world.targets.exposed.filter(({ target }) => target !== 3).slice(0, exposed)
    let missing = 0
    for (const { target, round } of behind) if (!world.receiver.has(target, 0, round)) missing++
    return {
      guarantee: 'G11',
      scenario: 'one series refused with 400 for ever',
      figures: `${world.receiver.refused} requests refused, ${behind.length - missing} of ${behind.length} answers of other targets arrived`,
      ok: missing === 0 && world.receiver.refused > 0,
    }
  } finally {
    await world.close()
  }
}

/** 429 with Retry-After: the sender keeps to it, and loses nothing. */
async function throttle({ program }: Torture): Promise<Finding> {
  const world = await World.open(program)
  try {
    world.receiver.behaviour = { kind: 'throttle', requestsPerSecond: 3 }
    await world.start()
    await sleep(1000)
    const from = world.receiver.requestTimes.length
    await sleep(5000)
    const rate = (world.receiver.requestTimes.length - from) / 5
    world.receiver.behaviour = { kind: 'ok' }
    const { committed, missing, examples } = await world.drain(20_000)
    return {
      guarantee: 'G13',
      scenario: 'receiver takes 3 requests a second, 429 beyond',
      figures: `${rate.toFixed(1)} requests a second, ${committed} committed, ${missing} missing${list(examples)}`,
      ok: missing === 0 && rate <= 4,
    }
  } finally {
    await world.close()
  }
}

/** Receivers that know 1.0 only. */
async function oldReceivers({ program }: Torture): Promise<Finding> {
  const figures: string[] = []
  let ok = true
  for (const answersOk of [false, true]) {
    const world = await World.open(program)
    try {
      world.receiver.behaviour = { kind: 'old', answersOk }
      await world.start()
      await sleep(1500)
      const { committed, missing } = await world.drain(10_000)
      ok &&= missing === 0 && committed > 0
      figures.push(`${answersOk ? '2xx with nothing written' : '415'}: ${missing} of ${committed} missing`)
    } finally {
      await world.close()
    }
  }
  return { guarantee: 'G14', scenario: 'receivers of 1.0 only', figures: figures.join('; '), ok }
}

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
      if (isOurs && (await readLost(world.url)) > (2 / 3) * world.exposedAnswers * world.shape.seriesPerTarget) break
    }
    await world.stopScraping()
    world.receiver.behaviour = { kind: 'ok' }
    const { committed, missing } = await world.settle()
    const lost = isOurs ? await readLost(world.url) : undefined
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
  return (await readMetric(world.url, 'prometheus_remote_storage_samples_in_total')) === world.receiver.stored + lost
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
    const healedMs = program.name === 'narthex' ? await untilWriting(world.url, freedMs) : undefined
    // What was kept in memory must be on the disk now.
    await sleep(500)
    await world.kill()
    await world.start()
    world.receiver.behaviour = { kind: 'ok' }
    const { committed, missing, examples } = await world.drain(20_000)
    return {
      guarantee: 'G5',
      scenario: 'full 20 MB file system, then SIGKILL',
      figures: `${whileFull} of about ${expected} scrapes while full, ${committed} committed, ${missing} missing${list(examples)}${healedMs === undefined ? '' : `, writing again after ${healedMs.toFixed(0)} ms`}`,
      ok: missing === 0 && whileFull > expected * 0.9 && (healedMs === undefined || healedMs < 10_000),
    }
  } finally {
    await world.close()
    runProgram('umount', ['-l', mount.path])
    mount.remove()
  }
}

/** After an outage the backlog goes out much faster than samples come in. */
async function catchUp({ program, count }: Torture): Promise<Finding> {
  const outageMs = count < 50 ? 8_000 : 60_000
  const world = await World.open(program, { targets: 10, series: 500, intervalMs: 1000 })
  try {
    world.receiver.behaviour = { kind: 'down' }
    await world.start()
    await sleep(outageMs)
    const backlog = world.exposedAnswers * world.shape.seriesPerTarget
    world.receiver.behaviour = { kind: 'ok' }
    const started = performance.now()
    // The back-off of the last failure is no part of the rate.
    while (world.receiver.samples === 0 && performance.now() - started < 20_000) await sleep(5)
    const first = performance.now()
    while (world.receiver.samples < backlog && performance.now() - first < 60_000) await sleep(5)
    const rate = world.receiver.samples / ((performance.now() - first) / 1000)
    const live = (world.shape.targets * world.shape.seriesPerTarget * 1000) / world.intervalMs
    return {
      guarantee: 'G7',
      scenario: `catching up after ${outageMs / 1000} s of outage`,
      figures: `${Math.round(rate)} samples a second, ${(rate / live).toFixed(0)} × the live rate`,
      ok: rate >= 10 * live,
    }
  } finally {
    await world.close()
  }
}

/** After an outage, at a receiver that takes samples out of order: what is new does not wait for the backlog. */
async function liveFirst({ program, count }: Torture): Promise<Finding> {
  const world = await World.open(program, { targets: 10, series: 500, intervalMs: 500 })
  const deadlineMs = 500
  const queue = `queue_config: {batch_send_deadline: ${deadlineMs}ms, max_backoff: 200ms${program.name === 'narthex' ? ', live_first: true' : ''}}`
  try {
    world.receiver.behaviour = { kind: 'down' }
    await world.start({ remoteSettings: queue })
    await sleep(count < 50 ? 10_000 : 60_000)
    // Slow enough that the backlog takes its time.
    world.receiver.behaviour = { kind: 'slow', delayMs: 60 }
    await sleep(4000)
    const delays: number[] = []
    for (const end = performance.now() + 6000; performance.now() < end; await sleep(50)) {
      const now = Date.now()
      const newest = world.receiver.newestMs
      delays.push(now - newest)
    }
    const backlogLeft = world.targets.exposed[0]!.round < 2 && !world.receiver.has(0, 0, 2)
    world.receiver.behaviour = { kind: 'ok' }
    const { committed, missing, examples } = await world.drain(30_000)
    const worst = quantile(delays, 0.99)
    return {
      guarantee: 'G7',
      scenario: 'new samples beside a backlog, receiver takes them out of order',
      figures: `new samples at most ${worst} ms old (p99) with the backlog ${backlogLeft ? 'still there' : 'on its way'}, ${committed} committed, ${missing} missing${list(examples)}`,
      // Its own interval, and the two deadlines that are promised.
      ok: missing === 0 && worst <= world.intervalMs + 2 * deadlineMs,
    }
  } finally {
    await world.close()
  }
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

async function untilWriting(url: string, sinceMs: number): Promise<number> {
  while (performance.now() - sinceMs < 15_000) {
    if ((await readMetric(url, 'narthex_agent_log_writing')) === 1) break
    await sleep(50)
  }
  return performance.now() - sinceMs
}

/** What our agent counts as lost for its first remote. */
function readLost(url: string): Promise<number> {
  return readMetric(url, 'narthex_remote_storage_samples_lost_total')
}

/** Sum over all series of the name. */
async function readMetric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  let sum = 0
  for (const match of text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))) sum += Number(match[1])
  return sum
}

function list(examples: readonly string[]): string {
  return examples.length === 0 ? '' : ` (${examples.join(', ')})`
}

/** How far answers are from one interval after the one before, p99, of those since `from`. */
function scrapeLateness(world: World, from: number): number {
  const lastMs = new Map<number, number>()
  const late: number[] = []
  for (const { target, atMs } of world.targets.exposed.slice(from)) {
    const before = lastMs.get(target)
    if (before !== undefined) late.push(Math.abs(atMs - before - world.intervalMs))
    lastMs.set(target, atMs)
  }
  return quantile(late, 0.99)
}

export const scenarios: Readonly<Record<string, Scenario>> = {
  kills,
  reloads,
  'outage-restart': outageAndRestart,
  sigterm,
  'black-hole': blackHole,
  'auth-hold': authHold,
  poison,
  throttle,
  'old-receivers': oldReceivers,
  cap,
  'disk-full': diskFull,
  'catch-up': catchUp,
  'live-first': liveFirst,
  'power-cut': powerCut,
  ...logTrials,
}

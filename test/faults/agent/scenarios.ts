import { readFileSync, writeFileSync } from 'node:fs'
import { diskScenarios } from './disk-scenarios.ts'
import { logTrials } from './log-trials.ts'
import { listExamples, quantile, sleep, World, type Finding, type Scenario, type Torture } from './scenario.ts'

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
      figures: `${committed} committed, ${missing} missing${listExamples(examples)}, ${orderViolations} order violations, ${perKill.toFixed(0)} repeated per kill (a second has ${perSecond})`,
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
      figures: `${committed} committed, ${missing} missing${listExamples(examples)}, ${orderViolations} order violations`,
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
      figures: `${committed} committed, ${missing} missing${listExamples(examples)}`,
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
      figures: `${committed} committed, ${missing} missing${listExamples(examples)}, slowest stop ${slowestMs} ms`,
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
      figures: `${committed} committed, ${missing} missing${listExamples(examples)}, ${(probes / 2).toFixed(1)} probes a second`,
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
      figures: `${rate.toFixed(1)} requests a second, ${committed} committed, ${missing} missing${listExamples(examples)}`,
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
      figures: `new samples at most ${worst} ms old (p99) with the backlog ${backlogLeft ? 'still there' : 'on its way'}, ${committed} committed, ${missing} missing${listExamples(examples)}`,
      // Its own interval, and the two deadlines that are promised.
      ok: missing === 0 && worst <= world.intervalMs + 2 * deadlineMs,
    }
  } finally {
    await world.close()
  }
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
  'catch-up': catchUp,
  'live-first': liveFirst,
  ...diskScenarios,
  ...logTrials,
}

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launcher, startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { makeTemporaryDirectory, startProcess, type RunningProcess } from '../kit/process.ts'
import { Receiver } from './agent/receiver.ts'

// Eight mounts that hang, and an agent with the node exporter inside: four hung file operations would stop all file work of a Node.js
// process, the syncing of its log first. The mounts are FUSE file systems that no one serves, in a mount namespace of their own; a process
// that only waits holds them, so that they hang on after the agent's end.

const mounts = 8

// ARGUMENTS of the agent come behind the script's own: directory, launcher.
const script = `
set -e
directory=$1 launcher=$2; shift 2
for number in $(seq ${mounts}); do
  mkdir "$directory/mount$number"
  exec {descriptor}<>/dev/fuse
  mount -i -t fuse -o fd=$descriptor,rootmode=40000,user_id=0,group_id=0 "hung$number" "$directory/mount$number"
  descriptors="$descriptors $descriptor"
done
sleep 300 &
echo $! > "$directory/holder"
# The exporter reads the mounts of process 1, which is outside.
mount --bind /proc/$$/mountinfo /proc/1/mountinfo
for descriptor in $descriptors; do exec {descriptor}>&-; done
exec "$launcher" "$@"
`

const receiver = new Receiver()
const temporary = makeTemporaryDirectory('narthex-hung-')
let agent: NarthexProcess
let tracer: RunningProcess | undefined

beforeAll(async () => {
  await receiver.start()
  const wrapper = join(temporary.path, 'start.sh')
  const namespace = process.getuid?.() === 0 ? '--mount' : '--mount --map-root-user'
  writeFileSync(join(temporary.path, 'mount.bash'), script)
  writeFileSync(wrapper, `#!/bin/sh\nexec unshare ${namespace} bash ${temporary.path}/mount.bash ${temporary.path} ${launcher} "$@"\n`, {
    mode: 0o755,
  })
  const config = `
global: {scrape_interval: 1s, scrape_timeout: 1s}
remote_write: [{url: '${receiver.url}', queue_config: {batch_send_deadline: 1s}}]
exporters: {node: {flags: {collector.filesystem.mount-timeout: 200ms}}}
`
  agent = await startNarthex('agent', { config, executable: wrapper })
}, 90_000)

afterAll(async () => {
  await agent.remove()
  await tracer?.stop()
  const holder = join(temporary.path, 'holder')
  if (existsSync(holder)) process.kill(Number(readFileSync(holder, 'utf8')), 'SIGKILL')
  await receiver.stop()
  temporary.remove()
})

async function scrapeNode(): Promise<string> {
  return (await fetch(`${agent.url}/exporters/node/local/metrics`)).text()
}

/**
 * Traces the threads that are there now, those of the thread pool among them, and not processes that the agent starts: one that hangs would
 * stop the tracer.
 */
function traceSyncs(): RunningProcess {
  const threads = readdirSync(`/proc/${agent.pid}/task`).flatMap((id) => ['-p', id])
  return startProcess('strace', ['-qq', '-y', '-s', '0', '-ttt', '-e', 'trace=fdatasync', '-o', join(temporary.path, 'trace'), ...threads])
}

/** Syncs of the log that have ended, from the trace. */
function countSyncs(): number {
  const log = join(agent.directory, 'data')
  const trace = join(temporary.path, 'trace')
  const lines = existsSync(trace) ? readFileSync(trace, 'latin1').split('\n') : []
  const ended = lines.filter((line) => line.includes(`<${log}`) && line.endsWith('= 0')).length
  return ended + lines.filter((line) => line.includes('<... fdatasync resumed>') && line.endsWith('= 0')).length
}

test('with eight hung mounts the agent scrapes, syncs its log and sends; the mounts show their error', { timeout: 90_000 }, async () => {
  const hung = /^node_filesystem_device_error\{device="hung\d+",.*\} 1$/gm
  await expect.poll(async () => (await scrapeNode()).match(hung)?.length, { timeout: 30_000 }).toBe(mounts)
  const text = await scrapeNode()
  expect(text).toContain('node_scrape_collector_success{collector="filesystem"} 1')
  expect(text).toMatch(/^node_filesystem_size_bytes\{.*mountpoint="\/",?.*\} [1-9]/m)

  tracer = traceSyncs()
  const steps: { requests: number; syncs: number; scrapeMs: number }[] = []
  for (let step = 0; step < 8; step++) {
    const beginMs = performance.now()
    expect(await scrapeNode()).toContain('node_load1 ')
    steps.push({ requests: receiver.requests, syncs: countSyncs(), scrapeMs: performance.now() - beginMs })
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
  // A scrape a second goes out, and into the log for good.
  expect(steps.at(-1)!.requests - steps[0]!.requests).toBeGreaterThan(3)
  expect(steps.at(-1)!.syncs - steps[0]!.syncs).toBeGreaterThan(3)
  expect(Math.max(...steps.map(({ scrapeMs }) => scrapeMs))).toBeLessThan(2000)
  // One helper per hung mount, four at most; a further one waits for mounts that answer.
  expect(helperIds().length).toBeLessThanOrEqual(5)
})

test('the agent ends at once, without waiting for mounts that hang', { timeout: 30_000 }, async () => {
  const helpers = helperIds()
  expect(helpers.length).toBeGreaterThan(0)
  const beginMs = performance.now()
  agent.child.kill('SIGTERM')
  expect(await agent.exited).toBe(0)
  expect(performance.now() - beginMs).toBeLessThan(5000)
  await expect.poll(() => helpers.filter((id) => existsSync(`/proc/${id}`)), { timeout: 5000 }).toEqual([])
})

/** Processes that the agent has started to ask mounts. */
function helperIds(): string[] {
  const threads = readFileSync(`/proc/${agent.pid}/task/${agent.pid}/children`, 'utf8').trim()
  return threads.split(' ').filter((id) => id !== '' && readFileSync(`/proc/${id}/cmdline`, 'utf8').includes('statfs-helper'))
}

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

// npm run faults [-- NAME [COUNT]]: lists the long trials, or runs one in full. `npm test` runs a seeded share of each.

interface Trial {
  readonly what: string
  readonly count: number
  run(count: number): boolean
}

const vitest = join('node_modules', 'vitest', 'vitest.mjs')

function runTests(args: readonly string[], environment: Readonly<Record<string, string>>): boolean {
  const result = spawnSync(process.execPath, [vitest, 'run', ...args], { stdio: 'inherit', env: { ...process.env, ...environment } })
  return result.status === 0
}

const trials: Readonly<Record<string, Trial>> = {
  'agent-kills': {
    what: 'SIGKILLs of the agent under load with a flaky receiver: no sample lost, every series in order',
    count: 200,
    run: (count) =>
      runTests(['agent/src/send/crash.test.ts', '--testTimeout=3600000'], {
        NARTHEX_KILLS: String(count),
        NARTHEX_SEED: String(Date.now() % 1_000_000),
      }),
  },
  'server-kills': {
    what: 'SIGKILLs of the server in mid-ingest: every acknowledged sample is found again',
    count: 20,
    run(count) {
      for (let i = 0; i < count; i++) if (!runTests(['test/e2e/server.service.test.ts', '-t', 'SIGKILL'], {})) return false
      return true
    },
  },
}

const [name, countText] = process.argv.slice(2)
if (name === undefined) {
  for (const [key, { what, count }] of Object.entries(trials)) console.log(`${key.padEnd(14)} ${what} (${count})`)
} else if (!(name in trials)) {
  console.error(`cannot run trial ${JSON.stringify(name)}: want one of ${Object.keys(trials).join(', ')}`)
  process.exitCode = 1
} else {
  const trial = trials[name]!
  process.exitCode = trial.run(countText === undefined ? trial.count : Number(countText)) ? 0 : 1
}

import { spawn } from 'node:child_process'
import { join } from 'node:path'

export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  readonly seconds: number
  readonly output: string
}

// The static checks: types, lint, format. All three read the whole tree; side by side they take as long as the slowest.
const checks: readonly { name: string; command: readonly string[] }[] = [
  { name: 'types (tsc)', command: ['node_modules/typescript/bin/tsc', '-p', '.'] },
  { name: 'lint (oxlint)', command: ['node_modules/oxlint/bin/oxlint', '--type-aware'] },
  {
    name: 'format (prettier)',
    command: [
      'node_modules/prettier/bin/prettier.cjs',
      '--check',
      '--log-level=warn',
      '--cache',
      '--cache-location=node_modules/.cache/prettier-check',
      '.',
    ],
  },
]

export function runChecks(): Promise<CheckResult[]> {
  return Promise.all(checks.map(runCheck))
}

function runCheck({ name, command }: (typeof checks)[number]): Promise<CheckResult> {
  return new Promise((resolve) => {
    const started = performance.now()
    const child = spawn(process.execPath, [...command], { cwd: join(import.meta.dirname, '..'), stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const keep = (chunk: Buffer) => {
      output += chunk.toString()
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    const finish = (ok: boolean) => resolve({ name, ok, seconds: (performance.now() - started) / 1000, output })
    child.once('error', (error) => {
      output += error.message
      finish(false)
    })
    child.once('close', (code) => finish(code === 0))
  })
}

if (import.meta.main) {
  const results = await runChecks()
  for (const { name, ok, seconds, output } of results)
    console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} (${seconds.toFixed(1)} s)\n${ok ? '' : output}`)
  process.exitCode = results.every((result) => result.ok) ? 0 : 1
}

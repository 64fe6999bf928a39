import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  readonly seconds: number
  readonly output: string
}

// The static checks: types, lint, format. All three read the whole tree and take a few seconds together.
const checks: readonly { name: string; command: readonly string[] }[] = [
  { name: 'types (tsc)', command: ['node_modules/typescript/bin/tsc', '-p', '.'] },
  { name: 'lint (oxlint)', command: ['node_modules/oxlint/bin/oxlint', '--type-aware'] },
  { name: 'format (prettier)', command: ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.'] },
]

export function runChecks(): CheckResult[] {
  return checks.map(({ name, command }) => {
    const started = performance.now()
    const result = spawnSync(process.execPath, [...command], { cwd: join(import.meta.dirname, '..'), encoding: 'utf8' })
    const output = `${result.stdout}${result.stderr}`
    return { name, ok: result.status === 0, seconds: (performance.now() - started) / 1000, output }
  })
}

if (import.meta.main) {
  const results = runChecks()
  for (const result of results)
    console.log(`${result.ok ? 'ok  ' : 'FAIL'} ${result.name} (${result.seconds.toFixed(1)} s)\n${result.ok ? '' : result.output}`)
  process.exitCode = results.every((result) => result.ok) ? 0 : 1
}

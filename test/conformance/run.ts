import { runConfigFolder } from './config.ts'
import { runOpenMetricsFolder } from './openmetrics.ts'
import { runPromqlFolder } from './promql.ts'

// npm run conformance -- KIND DIR
//
// Runs a folder of cases of one kind, prints every failure with what was expected and what came, and ends with `N passed, N failed`.

interface Report {
  readonly passed: number
  readonly failures: readonly string[]
}

const kinds: Record<string, (folder: string) => Report> = {
  promql: runPromql,
  openmetrics: runOpenMetricsFolder,
  'prometheus-config': (folder) => runConfigFolder('prometheus-config', folder),
  'alertmanager-config': (folder) => runConfigFolder('alertmanager-config', folder),
}

function runPromql(folder: string): Report {
  const reports = runPromqlFolder(folder)
  for (const { name, passed, failures } of reports) console.log(`${name}: ${passed} passed, ${failures.length} failed`)
  return { passed: reports.reduce((sum, { passed }) => sum + passed, 0), failures: reports.flatMap(({ failures }) => failures) }
}

function main([kind, folder]: readonly string[]): number {
  const run = kind === undefined ? undefined : kinds[kind]
  if (run === undefined || folder === undefined) {
    console.error(`usage: npm run conformance -- ${Object.keys(kinds).join('|')} DIR`)
    return 2
  }
  const { passed, failures } = run(folder)
  for (const failure of failures) console.log(`failed: ${failure}`)
  console.log(`${passed} passed, ${failures.length} failed`)
  return failures.length === 0 ? 0 : 1
}

process.exitCode = main(process.argv.slice(2))

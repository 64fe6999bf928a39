import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runChecks } from './check.ts'
import { ensurePrograms } from './kit/packages.ts'
import { findShared } from './kit/shared.ts'

// npm test [-- --fast] [-- FILTER ...]
//
// Static checks first, then every test that needs no server, then those that start real ones (`*.service.test.ts`),
// one file at a time. Ends with `N passed, N failed` alone on a line; what was not run is named with its reason.

interface Tally {
  passed: number
  failed: string[]
  notRun: string[]
}

async function main(args: readonly string[]): Promise<number> {
  const fast = args.includes('--fast')
  const filters = args.filter((argument) => !argument.startsWith('--'))
  const tally: Tally = { passed: 0, failed: [], notRun: [] }

  if (filters.length === 0) {
    for (const check of await runChecks()) {
      console.log(`${check.ok ? 'ok  ' : 'FAIL'} ${check.name} (${check.seconds.toFixed(1)} s)`)
      if (check.ok) tally.passed++
      else {
        console.log(check.output)
        tally.failed.push(check.name)
      }
    }
  }
  runVitest('tests without services', ['--exclude', '**/*.service.test.ts', ...filters], tally)
  if (fast) {
    tally.notRun.push('*.service.test.ts: --fast runs only what needs no service')
  } else {
    let ready = true
    try {
      ensurePrograms((line) => console.log(line))
    } catch (error) {
      ready = false
      console.log((error as Error).message)
      tally.failed.push('install the programs the service tests need')
      tally.notRun.push('*.service.test.ts: programs are missing, see above')
    }
    if (ready) {
      const serviceFilters = filters.length > 0 ? filters.map(String) : ['.service.test.ts']
      runVitest('tests with real servers', ['--no-file-parallelism', ...serviceFilters, '--exclude', '**/!(*.service).test.ts'], tally)
    }
  }
  if (!findShared()) tally.notRun.push('conformance cases: no folder found, name it with NARTHEX_SHARED')

  console.log('')
  for (const name of tally.failed) console.log(`failed: ${name}`)
  for (const reason of tally.notRun) console.log(`not run: ${reason}`)
  console.log(`${tally.passed} passed, ${tally.failed.length} failed`)
  return tally.failed.length === 0 && tally.passed > 0 ? 0 : 1
}

interface VitestReport {
  testResults: {
    name: string
    status: string
    message: string
    assertionResults: { fullName: string; status: string }[]
  }[]
}

function runVitest(title: string, args: readonly string[], tally: Tally): void {
  console.log(`\n── ${title}`)
  const directory = mkdtempSync(join(tmpdir(), 'narthex-test-'))
  const reportFile = join(directory, 'report.json')
  try {
    const vitest = join('node_modules', 'vitest', 'vitest.mjs')
    const options = ['run', '--passWithNoTests', '--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`]
    const result = spawnSync(process.execPath, [vitest, ...options, ...args], { stdio: ['ignore', 'inherit', 'inherit'] })
    const failedBefore = tally.failed.length
    const report = JSON.parse(readFileSync(reportFile, 'utf8')) as VitestReport
    for (const file of report.testResults) countFile(file, tally)
    // Errors outside any test (an unhandled rejection, say) fail the run without failing a test.
    if (result.status !== 0 && tally.failed.length === failedBefore) tally.failed.push(`${title}: vitest ended with exit ${result.status}`)
  } catch (error) {
    tally.failed.push(`${title}: ${(error as Error).message}`)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function countFile(file: VitestReport['testResults'][number], tally: Tally): void {
  const path = file.name.replace(`${process.cwd()}/`, '')
  if (file.status === 'failed' && file.assertionResults.every((result) => result.status !== 'failed')) {
    tally.failed.push(`${path}: ${file.message.split('\n')[0]}`)
  }
  for (const result of file.assertionResults) {
    if (result.status === 'passed') tally.passed++
    else if (result.status === 'failed') tally.failed.push(`${path}: ${result.fullName}`)
    else tally.notRun.push(`${path}: ${result.fullName} (${result.status})`)
  }
}

process.exitCode = await main(process.argv.slice(2))

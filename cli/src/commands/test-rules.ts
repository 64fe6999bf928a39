import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { ConfigError } from '@narthex/config/config-error'
import { isBadGlobPattern } from '@narthex/config/glob-pattern'
import { parseRuleFile, type RuleGroupConfig } from '@narthex/config/rule-file'
import { parseRuleTestFile, type RuleTestFile } from '@narthex/config/rule-test-file'
import { compileRegex } from '@narthex/model/regex'
import type { EngineOptions } from '@narthex/promql/engine'
import { toParseOptions } from '@narthex/server/feature-flags'
import { createRuleChecks } from '@narthex/server/rule-checks'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { readFeatures } from '../read-features.ts'
import { JunitReport, type JunitSuite } from '../rule-test/junit-report.ts'
import { runRuleTest } from '../rule-test/run-rule-test.ts'
import { promtoolFlags, runSubcommand, type CommandGroup } from '../subcommands.ts'
import { versionText } from '../version.ts'
import { failureCode, processOutput, type CheckOutput } from './check-output.ts'
import { ignoresUnknownFields, requireFiles } from './check-rules.ts'

// narthex test rules FILE ...: unit tests of rules, in promtool's file format and with its output.

interface TestOptions {
  readonly features: readonly string[]
  /** Whether a test of this name is run. */
  isWanted(name: string): boolean
  readonly showsDifference: boolean
  readonly showsData: boolean
  readonly ignoresUnknownFields: boolean
}

const junit = flag.text('junit', 'File path to store JUnit XML test results.', '')

const group: CommandGroup = {
  name: 'narthex test',
  help: 'Unit testing.',
  flags: [junit],
  subcommands: { rules: { help: 'Unit tests for rules.', run: runTestRules } },
}

/** narthex test rules [FLAG ...] FILE ... */
export function runTest(argv: readonly string[]): Promise<void> {
  return runSubcommand(group, argv, undefined)
}

async function runTestRules(argv: readonly string[]): Promise<void> {
  const { values, arguments: files } = parseFlags(
    {
      name: 'narthex test rules',
      help: 'Unit tests for rules.',
      version: versionText('narthex test rules'),
      flags: {
        ...promtoolFlags,
        run: flag.list(
          'run',
          'If set, will only run test groups whose names match the regular expression. Can be specified multiple times.',
        ),
        debug: flag.boolean(
          'debug',
          'Print the data of each test: input_series and what the rules made, with their times in milliseconds.',
        ),
        diff: flag.boolean('diff', 'Print the lines that differ instead of all that was expected and found.'),
        junit,
        ignoresUnknownFields,
      },
      arguments: [{ name: 'test-rule-file', help: 'The unit test file.', isRepeatable: true }],
    },
    argv,
  )
  requireFiles('narthex test rules', files)
  const report = new JunitReport()
  const options: TestOptions = {
    features: readFeatures(values.features),
    isWanted: compileRun(values.run),
    showsDifference: values.diff,
    showsData: values.debug,
    ignoresUnknownFields: values.ignoresUnknownFields,
  }
  const hasFailed = await testFiles(files, options, report, processOutput)
  if (values.junit !== '') writeReport(values.junit, report)
  throw new PrintAndExit('', hasFailed ? failureCode : 0)
}

/** Expressions need not match the whole name. */
function compileRun(expressions: readonly string[]): (name: string) => boolean {
  if (expressions.length === 0) return () => true
  try {
    const regex = compileRegex(`(?s:.*)(?:${expressions.join('|')})(?s:.*)`)
    return (name) => regex.test(name)
  } catch (cause) {
    throw new UserError(`narthex test rules: cannot read --run: ${messageOf(cause)}`, 1, { cause })
  }
}

function writeReport(path: string, report: JunitReport): void {
  try {
    writeFileSync(path, report.render())
  } catch (cause) {
    throw new UserError(`narthex test rules: cannot write ${path}: ${messageOf(cause)}`, 1, { cause })
  }
}

/** True if a test failed. */
async function testFiles(files: readonly string[], options: TestOptions, report: JunitReport, output: CheckOutput): Promise<boolean> {
  let hasFailed = false
  for (const path of files) {
    output.out(`Unit Testing:  ${path}`)
    const failures = await testFile(path, options, report.suite(path), output)
    if (failures.length === 0) output.out('  SUCCESS')
    else {
      hasFailed = true
      output.err('  FAILED:')
      for (const failure of failures) {
        output.err(failure)
        output.out('')
      }
    }
    output.out('')
  }
  return hasFailed
}

async function testFile(path: string, options: TestOptions, suite: JunitSuite, output: CheckOutput): Promise<string[]> {
  let file: RuleTestFile
  let ruleFiles: readonly string[]
  const groupOrder = new Map<string, number>()
  try {
    file = parseRuleTestFile(readFileSync(path, 'utf8'), path)
    ruleFiles = findRuleFiles(path, file, output)
    for (const name of file.groupOrder) {
      if (groupOrder.has(name)) throw new Error(`group name repeated in evaluation order: ${name}`)
      groupOrder.set(name, groupOrder.size)
    }
  } catch (error) {
    const problems = describeProblems(error, path)
    suite.abort(problems.join('\n'))
    return problems
  }
  suite.begin(new Date())
  const engine: EngineOptions = {
    parse: toParseOptions(options.features),
    delayedNameRemoval: options.features.includes('promql-delayed-name-removal'),
    typeAndUnitLabels: options.features.includes('type-and-unit-labels'),
  }
  const { evaluationIntervalMs, isFuzzy } = file
  // What is wrong with the rules is a failure of each test, as in promtool: without one nobody looks at them.
  let rules: Rules | undefined
  const failures: string[] = []
  for (const [i, test] of file.tests.entries()) {
    if (!options.isWanted(test.name)) continue
    rules ??= loadRules(ruleFiles, options)
    const { groups, problems } = rules
    const name = test.name === '' ? `unnamed#${i}` : test.name
    const run = () =>
      runRuleTest(test, { groups, evaluationIntervalMs, groupOrder, engine, isFuzzy, ...options, ...debugTo(options, output) })
    const failed = problems.length > 0 ? problems : await showTime(name, options, output, run)
    suite.case(name, failed)
    failures.push(...failed)
  }
  return failures
}

function debugTo({ showsData }: TestOptions, output: CheckOutput): { debug?: (text: string) => void } {
  return showsData ? { debug: (text) => output.out(`DEBUG: ${text}`) } : {}
}

async function showTime<Result>(
  name: string,
  { showsData }: TestOptions,
  output: CheckOutput,
  run: () => Promise<Result>,
): Promise<Result> {
  if (!showsData) return await run()
  output.out(`DEBUG: Starting test ${name}`)
  const beganMs = performance.now()
  const result = await run()
  output.out(`DEBUG: Test ${name} finished, took ${(performance.now() - beganMs).toFixed(3)}ms`)
  return result
}

function findRuleFiles(path: string, { ruleFiles }: RuleTestFile, output: CheckOutput): string[] {
  return ruleFiles.flatMap((given) => {
    const pattern = given === '' || isAbsolute(given) ? given : join(dirname(path), given)
    if (isBadGlobPattern(pattern)) throw new Error('syntax error in pattern')
    const found = globSync(pattern).sort()
    if (found.length === 0) output.err(`  WARNING: no file match pattern ${pattern}`)
    return found
  })
}

interface Rules {
  readonly groups: readonly RuleGroupConfig[]
  /** Of the first file that cannot be read. */
  readonly problems: readonly string[]
}

function loadRules(files: readonly string[], options: TestOptions): Rules {
  const checks = { ...createRuleChecks(options.features), ignoresUnknownKeys: options.ignoresUnknownFields }
  const groups: RuleGroupConfig[] = []
  for (const file of files) {
    try {
      groups.push(...parseRuleFile(readFileSync(file, 'utf8'), file, checks))
    } catch (error) {
      return { groups: [], problems: describeProblems(error) }
    }
  }
  return { groups, problems: [] }
}

/** Each with its file, but what is wrong with the YAML of the one that is tested. */
function describeProblems(error: unknown, testPath?: string): string[] {
  if (!(error instanceof ConfigError)) return [messageOf(error)]
  if (error.kind !== 'check') return [error.path === testPath ? error.goText : `${error.path}: ${error.goText}`]
  return error.problems.map(({ line, column, text }) => `${error.path}: ${line}:${column}: ${text}`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

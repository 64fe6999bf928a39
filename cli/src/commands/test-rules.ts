import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { ConfigError } from '@narthex/config/config-error'
import { parseRuleFile, type RuleGroupConfig } from '@narthex/config/rule-file'
import { parseRuleTestFile, type RuleTestFile } from '@narthex/config/rule-test-file'
import { compileRegex } from '@narthex/model/regex'
import type { EngineOptions } from '@narthex/promql/engine'
import { splitFeatures, toParseOptions } from '@narthex/server/feature-flags'
import { createRuleChecks } from '@narthex/server/rule-checks'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
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
    features: splitFeatures(values.features),
    isWanted: compileRun(values.run),
    showsDifference: values.diff,
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
  let groups: readonly RuleGroupConfig[]
  const groupOrder = new Map<string, number>()
  try {
    file = parseRuleTestFile(readFileSync(path, 'utf8'), path)
    for (const name of file.groupOrder) {
      if (groupOrder.has(name)) throw new Error(`group name repeated in evaluation order: ${name}`)
      groupOrder.set(name, groupOrder.size)
    }
    groups = loadRules(path, file, options, output)
  } catch (error) {
    const problems = describeProblems(error)
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
  const failures: string[] = []
  for (const [i, test] of file.tests.entries()) {
    if (!options.isWanted(test.name)) continue
    const failed = await runRuleTest(test, { groups, evaluationIntervalMs, groupOrder, engine, isFuzzy, ...options })
    suite.case(test.name === '' ? `unnamed#${i}` : test.name, failed)
    failures.push(...failed)
  }
  return failures
}

function loadRules(path: string, { ruleFiles }: RuleTestFile, options: TestOptions, output: CheckOutput): RuleGroupConfig[] {
  const checks = { ...createRuleChecks(options.features), ignoresUnknownKeys: options.ignoresUnknownFields }
  const groups: RuleGroupConfig[] = []
  for (const given of ruleFiles) {
    const pattern = given === '' || isAbsolute(given) ? given : join(dirname(path), given)
    const found = globSync(pattern).sort()
    if (found.length === 0) output.err(`  WARNING: no file match pattern ${pattern}`)
    for (const file of found) groups.push(...parseRuleFile(readFileSync(file, 'utf8'), file, checks))
  }
  return groups
}

function describeProblems(error: unknown): string[] {
  if (!(error instanceof ConfigError)) return [messageOf(error)]
  if (error.kind !== 'check') return [error.goText]
  return error.problems.map(({ line, column, text }) => `${error.path}: ${line}:${column}: ${text}`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

import { readFileSync, statSync } from 'node:fs'
import { ConfigError } from '@narthex/config/config-error'
import { parseRuleFile, type RuleFileChecks, type RuleGroupConfig } from '@narthex/config/rule-file'
import { Labels } from '@narthex/model/labels'
import { createRuleChecks } from '@narthex/server/rule-checks'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { readFeatures } from '../read-features.ts'
import { versionText } from '../version.ts'
import { checkFlags } from './check-flags.ts'
import { describeReadError, failureCode, lintErrorCode, processOutput, type CheckOutput } from './check-output.ts'

// narthex check rules FILE ...: says what is wrong with rule files, as `promtool check rules` does.

export interface RulesVerdict {
  readonly failed: boolean
  /** False if all that is wrong are lints. */
  readonly hasErrors: boolean
}

export interface RuleFileOptions {
  readonly checks: RuleFileChecks
  /** Look for rules that are there twice. */
  readonly lintsDuplicates: boolean
}

/** Of every command that reads rule files. */
export const ignoresUnknownFields = flag.boolean(
  'ignore-unknown-fields',
  'Ignore unknown fields in the rule files, for those with metadata of your own. The server refuses them.',
)

export function runCheckRules(argv: readonly string[]): void {
  const { values, arguments: files } = parseFlags(
    {
      name: 'narthex check rules',
      help: 'Check if the rule files are valid or not.',
      version: versionText('narthex check rules'),
      flags: {
        ...checkFlags,
        lint: flag.text('lint', 'Linting checks to apply. Available options are: all, duplicate-rules, none.', 'duplicate-rules'),
        lintFatal: flag.boolean('lint-fatal', 'Make lint errors exit with exit code 3.'),
        ignoresUnknownFields,
      },
      arguments: [
        { name: 'rule-files', help: 'The rule files to check; standard input if there are none.', isRepeatable: true, isOptional: true },
      ],
    },
    argv,
  )
  requireFiles('narthex check rules', files)
  const lintsDuplicates = readRuleLints(values.lint, processOutput)
  const checks = { ...createRuleChecks(readFeatures(values.features)), ignoresUnknownKeys: values.ignoresUnknownFields }
  const verdict = checkRuleFiles(files.length === 0 ? [standardInput] : files, { checks, lintsDuplicates }, processOutput)
  throw new PrintAndExit('', exitCodeOf(verdict, values.lintFatal))
}

/** In place of a path. */
const standardInput = 'standard input'

/** promtool's exit code: lints alone are no failure unless they are said to be fatal. */
export function exitCodeOf({ failed, hasErrors }: RulesVerdict, isLintFatal: boolean): number {
  if (!failed) return 0
  if (hasErrors) return failureCode
  return isLintFatal ? lintErrorCode : 0
}

/** Throws UserError for the first path that does not exist or is a directory. */
export function requireFiles(program: string, paths: readonly string[]): void {
  for (const path of paths) {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found === undefined) throw new UserError(`${program}: error: path '${path}' does not exist, try --help`)
    if (found.isDirectory()) throw new UserError(`${program}: error: '${path}' is a directory, try --help`)
  }
}

/** `--lint=a,b` for rules: whether duplicates are looked for. An option that does not exist is told and passed over, as by promtool. */
export function readRuleLints(text: string, output: CheckOutput): boolean {
  const given = text === '' ? [] : text.split(',')
  const known = ['all', 'duplicate-rules', 'none']
  for (const option of given) if (!known.includes(option)) output.out(`WARNING: unknown lint option: ${JSON.stringify(option)}`)
  return given.includes('all') || given.includes('duplicate-rules')
}

/** Checks each file and prints its verdict. */
export function checkRuleFiles(paths: readonly string[], options: RuleFileOptions, output: CheckOutput): RulesVerdict {
  let failed = false
  let hasErrors = false
  for (const path of paths) {
    output.out(`Checking ${path}`)
    const { rules, problems, isLint } = checkRuleFile(path, options)
    if (problems.length === 0) output.out(`  SUCCESS: ${rules} rules found`)
    else {
      output.err('  FAILED:')
      for (const problem of problems) output.err(problem)
      failed = true
      if (!isLint) hasErrors = true
    }
    // As promtool: no line between a file that cannot be used and the next one.
    if (problems.length === 0 || isLint) output.out('')
  }
  return { failed, hasErrors }
}

function checkRuleFile(path: string, options: RuleFileOptions): { rules: number; problems: readonly string[]; isLint: boolean } {
  let groups: readonly RuleGroupConfig[]
  try {
    groups = parseRuleFile(readFileSync(path === standardInput ? 0 : path, 'utf8'), path, options.checks)
  } catch (error) {
    return { rules: 0, problems: describeProblems(path, error), isLint: false }
  }
  const duplicates = options.lintsDuplicates ? findDuplicates(groups) : []
  if (duplicates.length > 0) return { rules: 0, problems: [describeDuplicates(duplicates)], isLint: true }
  return { rules: groups.reduce((sum, { rules }) => sum + rules.length, 0), problems: [], isLint: false }
}

function describeProblems(path: string, error: unknown): string[] {
  const prefix = path === standardInput ? '' : `${path}: `
  if (!(error instanceof ConfigError)) return [`${prefix}${describeReadError(path, error)}`]
  if (error.kind !== 'check') return [`${prefix}${error.goText}`]
  return error.problems.map(({ line, column, text }) => `${prefix}${line}:${column}: ${text}`)
}

interface NamedRule {
  readonly name: string
  readonly labels: Labels
}

/** Rules of the same name and labels, each once, sorted. */
function findDuplicates(groups: readonly RuleGroupConfig[]): NamedRule[] {
  const byKey = new Map<string, { readonly rule: NamedRule; count: number }>()
  for (const group of groups) {
    for (const rule of group.rules) {
      const name = rule.kind === 'recording' ? rule.record : rule.alert
      const labels = Labels.from({ ...group.labels, ...rule.labels })
      const key = JSON.stringify([name, labels.key()])
      const known = byKey.get(key)
      if (known === undefined) byKey.set(key, { rule: { name, labels }, count: 1 })
      else known.count++
    }
  }
  const duplicates = [...byKey].filter(([, { count }]) => count > 1)
  return duplicates.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { rule }]) => rule)
}

function describeDuplicates(rules: readonly NamedRule[]): string {
  const described = rules.map(({ name, labels }) => {
    const lines = Object.entries(labels.toRecord()).map(([label, value]) => `\t${label}: ${value}\n`)
    return `Metric: ${name}\nLabel(s):\n${lines.join('')}`
  })
  return `lint error ${rules.length} duplicate rule(s) found.\n${described.join('')}Might cause inconsistency while recording expressions`
}

import { globSync, readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { populateLabels } from '@narthex/agent/scrape/populate-labels'
import { listTargetFiles, parseTargetGroups } from '@narthex/agent/discovery/file'
import type { TargetGroup } from '@narthex/agent/discovery/target-groups'
import { ConfigError } from '@narthex/config/config-error'
import { isBadGlobPattern } from '@narthex/config/glob-pattern'
import type { TlsConfig } from '@narthex/config/http-client-config'
import { parsePrometheusConfig, type ConfigMode, type PrometheusConfig, type ScrapeConfig } from '@narthex/config/prometheus-config'
import { collectUnsupported } from '@narthex/config/unsupported'
import { formatDuration } from '@narthex/model/duration'
import { createRuleChecks } from '@narthex/server/rule-checks'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { PrintAndExit } from '@narthex/service/user-error'
import { readFeatures } from '../read-features.ts'
import { versionText } from '../version.ts'
import { checkFlags } from './check-flags.ts'
import { describeStatError, processOutput, type CheckOutput } from './check-output.ts'
import { checkRuleFiles, exitCodeOf, ignoresUnknownFields, readRuleLints, requireFiles } from './check-rules.ts'

// narthex check config FILE ...: the verdict, texts and exit codes of `promtool check config`.

const flags = {
  ...checkFlags,
  isSyntaxOnly: flag.boolean('syntax-only', 'Only check the syntax, and not the files that the configuration names.'),
  lint: flag.text(
    'lint',
    'Linting checks to apply, comma separated. Available options are: all, duplicate-rules, too-long-scrape-interval, none.',
    'duplicate-rules',
  ),
  lintFatal: flag.boolean('lint-fatal', 'Make lint errors exit with exit code 3.'),
  ignoresUnknownFields,
  isAgent: flag.boolean('agent', 'Check the configuration of an agent.'),
  lookbackMs: { ...checkFlags.lookbackMs, isHidden: false },
}

/** What a whole configuration is refused for, after it was parsed. */
const agentText = /^field \w+ is not allowed in agent mode$/

/** The file cannot be used; the text is promtool's. */
class CheckFailure extends Error {}

export function runCheckConfig(argv: readonly string[]): void {
  const { values, arguments: files } = parseFlags(
    {
      name: 'narthex check config',
      help: 'Check if the config files are valid or not.',
      version: versionText('narthex check config'),
      flags,
      arguments: [{ name: 'config-files', help: 'The config files to check.', isRepeatable: true }],
    },
    argv,
  )
  requireFiles('narthex check config', files)
  const lints = readLints(values.lint, processOutput)
  const checks = { ...createRuleChecks(readFeatures(values.features)), ignoresUnknownKeys: values.ignoresUnknownFields }
  const exitCode = checkConfigFiles(
    files,
    {
      mode: values.isAgent ? 'agent' : 'server',
      isSyntaxOnly: values.isSyntaxOnly,
      isLintFatal: values.lintFatal,
      longIntervalMs: lints.longScrapeInterval ? values.lookbackMs : Infinity,
      rules: { checks, lintsDuplicates: lints.duplicateRules },
    },
    processOutput,
  )
  throw new PrintAndExit('', exitCode)
}

interface Lints {
  readonly duplicateRules: boolean
  readonly longScrapeInterval: boolean
}

/** `--lint=a,b` for configurations; `none` among others is none, as with promtool. */
export function readLints(text: string, output: CheckOutput): Lints {
  const given = text.split(',')
  if (given.includes('none')) return { duplicateRules: false, longScrapeInterval: false }
  const ofRules = given.filter((option) => option !== 'too-long-scrape-interval')
  return {
    duplicateRules: readRuleLints(ofRules.join(','), output),
    longScrapeInterval: given.includes('all') || ofRules.length < given.length,
  }
}

export interface CheckConfigOptions {
  readonly mode: ConfigMode
  readonly isSyntaxOnly: boolean
  readonly isLintFatal: boolean
  /** Jobs that scrape no more often than this are told. */
  readonly longIntervalMs: number
  readonly rules: Parameters<typeof checkRuleFiles>[1]
}

/** Checks each file and the rule files that it names, prints the verdicts and gives the exit code. */
export function checkConfigFiles(paths: readonly string[], options: CheckConfigOptions, output: CheckOutput): number {
  let failed = false
  let hasErrors = false
  for (const path of paths) {
    output.out(`Checking ${path}`)
    let config: PrometheusConfig | undefined
    let ruleFiles: readonly string[] = []
    try {
      config = readConfig(path, options)
      ruleFiles = checkConfig(config, options.isSyntaxOnly, output)
      if (ruleFiles.length > 0) output.out(`  SUCCESS: ${ruleFiles.length} rule files found`)
      output.out(` SUCCESS: ${path} is valid prometheus config file syntax`)
    } catch (error) {
      if (!(error instanceof CheckFailure)) throw error
      output.err(`  FAILED: ${error.message}`)
      config = undefined
      failed = true
      hasErrors = true
    }
    output.out('')
    if (options.isSyntaxOnly || config === undefined) continue
    if (lintIntervals(config, options.longIntervalMs, output)) failed = true
    const verdict = checkRuleFiles(ruleFiles, options.rules, output)
    if (verdict.failed) failed = true
    if (verdict.hasErrors) hasErrors = true
  }
  return exitCodeOf({ failed, hasErrors }, options.isLintFatal)
}

function readConfig(path: string, { mode, isSyntaxOnly }: CheckConfigOptions): PrometheusConfig {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new CheckFailure(describeStatError(path, cause), { cause })
  }
  try {
    const noFiles = { glob: () => [], read: () => '' }
    return parsePrometheusConfig(text, { path, mode, ...(isSyntaxOnly ? { files: noFiles } : {}) })
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause
    // Go's own checks do not say where; we know.
    const place = cause.kind === 'check' && cause.line > 0 ? `\n    at ${cause.path}:${cause.line}:${cause.column}` : ''
    if (agentText.test(cause.goText)) throw new CheckFailure(cause.goText + place, { cause })
    const prefix =
      cause.path === path ? `parsing YAML file ${path}: ` : `error loading scrape configs: ${JSON.stringify(resolve(cause.path))}: `
    throw new CheckFailure(prefix + cause.goText + place, { cause })
  }
}

/** Checks what the configuration names, prints warnings and gives the rule files. Throws CheckFailure. */
function checkConfig(config: PrometheusConfig, isSyntaxOnly: boolean, output: CheckOutput): string[] {
  const ruleFiles = isSyntaxOnly ? [] : config.ruleFiles.flatMap(findRuleFiles)
  for (const job of config.scrapeConfigs) checkJob(job, isSyntaxOnly, output)
  for (const { discovery } of isSyntaxOnly ? [] : config.alerting.alertmanagers) {
    for (const found of discovery) {
      if (found.mechanism === 'file') warnOfMissing(found.files, 'alertmanager config', output)
    }
  }
  for (const warning of collectUnsupported(config)) output.out(`  WARNING: ${warning}`)
  return ruleFiles
}

function findRuleFiles(pattern: string): string[] {
  if (isBadGlobPattern(pattern)) throw new CheckFailure('syntax error in pattern')
  const found = globSync(pattern).sort()
  if (!pattern.includes('*') && found.length === 0) throw new CheckFailure(`${JSON.stringify(pattern)} does not point to an existing file`)
  return found
}

function checkJob(job: ScrapeConfig, isSyntaxOnly: boolean, output: CheckOutput): void {
  const { http, discovery, jobName } = job
  if (!isSyntaxOnly) {
    requireFile(http.authorization?.credentialsFile, 'authorization credentials or bearer token')
    checkTlsFiles(http.tls)
  }
  for (const found of discovery) {
    if (found.mechanism === 'kubernetes' && !isSyntaxOnly) checkTlsFiles(found.http.tls)
    if (found.mechanism === 'static') {
      checkTargets(
        job,
        found.groups.map(({ targets, labels }, index) => ({
          source: String(index),
          targets: targets.map((address) => ({ __address__: address })),
          labels,
        })),
      )
    }
    if (found.mechanism !== 'file' || isSyntaxOnly) continue
    for (const pattern of found.files) {
      const files = listTargetFiles([pattern])
      if (files.size === 0) warnOfMissing([pattern], `scrape job ${JSON.stringify(jobName)}`, output)
      for (const file of files) checkTargets(job, readTargetFile(pattern, file))
    }
  }
}

function checkTlsFiles(tls: TlsConfig | undefined): void {
  requireFile(tls?.certFile, 'client cert')
  requireFile(tls?.keyFile, 'client key')
}

function requireFile(path: string | undefined, kind: string): void {
  if (path === undefined || path === '') return
  try {
    statSync(path)
  } catch (cause) {
    throw new CheckFailure(`error checking ${kind} file ${JSON.stringify(path)}: ${describeStatError(path, cause)}`, { cause })
  }
}

function readTargetFile(pattern: string, path: string): TargetGroup[] {
  try {
    // promtool gives the groups of a file no name.
    return parseTargetGroups(readFileSync(path, 'utf8'), path).map((group) => ({ ...group, source: '' }))
  } catch (cause) {
    throw new CheckFailure(`checking SD file ${JSON.stringify(pattern)}: ${(cause as Error).message}`, { cause })
  }
}

function warnOfMissing(patterns: readonly string[], place: string, output: CheckOutput): void {
  for (const pattern of patterns) {
    if (listTargetFiles([pattern]).size === 0)
      output.out(`  WARNING: file ${JSON.stringify(pattern)} for file_sd in ${place} does not exist`)
  }
}

function checkTargets(job: ScrapeConfig, groups: readonly TargetGroup[]): void {
  for (const { source, targets, labels } of groups) {
    for (const [index, target] of targets.entries()) {
      const populated = populateLabels(job, target, labels)
      if (populated.kind === 'failed') throw new CheckFailure(`instance ${index} in group ${source}: ${populated.reason}`)
    }
  }
}

function lintIntervals({ scrapeConfigs }: PrometheusConfig, longIntervalMs: number, output: CheckOutput): boolean {
  const long = scrapeConfigs.find(({ scrapeIntervalMs }) => scrapeIntervalMs >= longIntervalMs)
  if (long === undefined) return false
  const { jobName, scrapeIntervalMs } = long
  output.err(
    `  FAILED: too long scrape interval found, data point will be marked as stale - job: ${jobName}, interval: ${formatDuration(scrapeIntervalMs)}`,
  )
  return true
}

import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { systemClock } from '@narthex/agent/clock'
import { createDiscoveryMetrics } from '@narthex/agent/discovery/discovery-metrics'
import { createDiscoverer } from '@narthex/agent/discovery/mechanisms'
import type { Discoverer, TargetGroup } from '@narthex/agent/discovery/target-groups'
import { populateLabels } from '@narthex/agent/scrape/populate-labels'
import { ConfigError } from '@narthex/config/config-error'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import type { ScrapeConfig } from '@narthex/config/scrape-config'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import type { MainContext } from '@narthex/service/lifecycle'
import { createLogger, type Logger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { versionText } from '../version.ts'
import { checkFlags } from './check-flags.ts'
import { failureCode } from './check-output.ts'
import { requireFiles } from './check-rules.ts'

// narthex check service-discovery FILE JOB: what the job's discovery finds, before and after relabeling, as `promtool check service-discovery` prints it.

const name = 'narthex check service-discovery'

/** A target in promtool's JSON; `labels` is empty for one that a rule dropped. */
export interface FoundTarget {
  readonly discoveredLabels: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  /** Why it cannot be scraped. */
  readonly error?: string
}

export async function runCheckServiceDiscovery(argv: readonly string[], context: Pick<MainContext, 'signal'>): Promise<void> {
  const { values, arguments: given } = parseFlags(
    {
      name,
      help: 'Perform service discovery for the given job name and report the results, including relabeling.',
      version: versionText(name),
      flags: {
        ...checkFlags,
        timeoutMs: flag.durationMs('timeout', 'The time to wait for discovery results.', '30s'),
      },
      arguments: [
        { name: 'config-file', help: 'The prometheus config file.' },
        { name: 'job', help: 'The job to run service discovery for.' },
      ],
    },
    argv,
  )
  const [path, jobName] = given as [string, string]
  requireFiles(name, [path])
  const job = findJob(path, jobName)
  const log = createLogger({ level: 'warn' }).with({ component: 'discovery' })
  const groups = await discover(job, values.timeoutMs, log, context.signal)
  throw new PrintAndExit(JSON.stringify(listTargets(job, groups), undefined, 2))
}

function findJob(path: string, jobName: string): ScrapeConfig {
  let jobs: readonly ScrapeConfig[]
  try {
    jobs = parsePrometheusConfig(readFileSync(path, 'utf8'), { path, mode: 'server' }).scrapeConfigs
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause
    const place = cause.kind === 'check' && cause.line > 0 ? `\n    at ${cause.path}:${cause.line}:${cause.column}` : ''
    throw new UserError(`Cannot load config parsing YAML file ${path}: ${cause.goText}${place}`, failureCode, { cause })
  }
  const job = jobs.find((one) => one.jobName === jobName)
  if (job !== undefined) return job
  throw new UserError(`Job ${jobName} not found. Select one of:${jobs.map((one) => `\n\t${one.jobName}`).join('')}`, failureCode)
}

/** The groups that are there when the time is over, or at once if no mechanism of the job can find others later. */
async function discover(job: ScrapeConfig, timeoutMs: number, log: Logger, signal: AbortSignal): Promise<TargetGroup[]> {
  const registry = new Registry()
  const metrics = createDiscoveryMetrics(registry, 'scrape', () => new Map())
  const found: Map<string, TargetGroup>[] = []
  const discoverers: Discoverer[] = []
  try {
    for (const mechanism of job.discovery) {
      const groups = new Map<string, TargetGroup>()
      const own = log.with({ discovery: mechanism.mechanism })
      const options = { log: own, clock: systemClock, registry, metrics, userAgent: 'Narthex', jobName: job.jobName, env: process.env }
      const discoverer = createDiscoverer(mechanism, options)
      found.push(groups)
      discoverers.push(discoverer)
      discoverer.start((changed) => {
        for (const group of changed) {
          if (group.targets.length === 0) groups.delete(group.source)
          else groups.set(group.source, group)
        }
      })
    }
    const isFixed = job.discovery.every(({ mechanism }) => mechanism === 'static')
    if (!isFixed) await wait(timeoutMs, undefined, { signal }).catch(() => {})
  } catch (cause) {
    throw new UserError(`Could not create new discoverer ${cause instanceof Error ? cause.message : String(cause)}`, failureCode, { cause })
  } finally {
    for (const discoverer of discoverers) discoverer.stop()
  }
  return found.flatMap((groups) => [...groups.values()])
}

/** Targets of a group that come out the same are told once. */
export function listTargets(job: ScrapeConfig, groups: readonly TargetGroup[]): FoundTarget[] {
  return groups.flatMap(({ targets, labels: groupLabels }) => {
    const told = new Map<string, FoundTarget>()
    for (const target of targets) {
      const populated = populateLabels(job, target, groupLabels)
      const one: FoundTarget = {
        discoveredLabels: populated.discovered.toRecord(),
        labels: populated.kind === 'kept' ? populated.labels.toRecord() : {},
        ...(populated.kind === 'failed' ? { error: populated.reason } : {}),
      }
      told.set(JSON.stringify(one), one)
    }
    return [...told.values()]
  })
}

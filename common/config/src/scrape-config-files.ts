import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigError } from './config-error.ts'
import type { ObjectCodec } from './object-codec.ts'
import type { RawScrapeConfig, ScrapeConfig } from './scrape-config.ts'
import { openYaml, type DecodeContext } from './yaml-decode.ts'

/** How the files of `scrape_config_files` are found and read. */
export interface ConfigFiles {
  /** Paths that match, sorted; none is not an error. */
  glob(pattern: string): readonly string[]
  read(path: string): string
}

export const diskFiles: ConfigFiles = {
  glob: (pattern) => globSync(pattern).sort(),
  read: (path) => readFileSync(path, 'utf8'),
}

export interface IncludedFiles {
  readonly patterns: readonly string[]
  readonly files: ConfigFiles
  /** For `%{NAME}`. */
  readonly environment: NodeJS.ProcessEnv
}

export interface IncludedScrapeConfigs {
  readonly scrapeConfigs: readonly ScrapeConfig[]
  readonly paths: readonly string[]
  readonly notYet: readonly string[]
}

/**
 * Reads all files that the globs name. `jobs` has the job names so far with the place of each, and gets the new ones.
 * Throws ConfigError, placed in the file that is wrong.
 */
export function loadScrapeConfigFiles(
  { patterns, files, environment }: IncludedFiles,
  jobs: Map<string, string>,
  codec: ObjectCodec<{ readonly scrapeConfigs: readonly RawScrapeConfig[] }>,
  complete: (config: RawScrapeConfig, context: DecodeContext) => ScrapeConfig,
): IncludedScrapeConfigs {
  const paths = patterns.flatMap((pattern) => files.glob(pattern))
  const notYet: string[] = []
  const scrapeConfigs = paths.flatMap((path) =>
    openYaml(readText(files, path), { path, environment }, (root, context) => {
      const raw = root === undefined ? codec.defaults() : context.collect(() => context.read(codec, root))
      const [first, ...others] = context.problems
      if (first !== undefined || raw === undefined) throw new ConfigError(path, [first!, ...others], 'unmarshal')
      const configs = raw.scrapeConfigs.map((config) => {
        const whole = complete(config, context)
        const known = jobs.get(whole.jobName)
        if (known !== undefined) {
          const text = `found multiple scrape configs with job name ${JSON.stringify(whole.jobName)}, first found in ${known}`
          context.failAt(config, 'job_name', text)
        }
        jobs.set(whole.jobName, JSON.stringify(resolve(path)))
        return whole
      })
      notYet.push(...context.notYet)
      return configs
    }),
  )
  return { scrapeConfigs, paths, notYet }
}

function readText(files: ConfigFiles, path: string): string {
  try {
    return files.read(path)
  } catch (error) {
    throw new ConfigError(path, [{ line: 0, column: 0, text: error instanceof Error ? error.message : String(error) }], 'check', {
      cause: error,
    })
  }
}

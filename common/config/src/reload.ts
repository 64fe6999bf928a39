import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import type { PrometheusConfig } from './prometheus-config.ts'

/** Every file whose change means a reload: the config, the files it includes, rule files. Globs are expanded anew at each call. */
export function listWatchableFiles(config: PrometheusConfig): string[] {
  const globs = [...config.scrapeConfigFiles, ...config.ruleFiles].flatMap((pattern) => globSync(pattern))
  return [...new Set([config.path, ...config.includedFiles, ...globs])].sort()
}

/** Changes when the content of one of the files does, or when one comes or goes (`--config.auto-reload`). Reads synchronously. */
export function hashFiles(paths: readonly string[]): string {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(path).update('\0').update(readIfThere(path)).update('\0')
  return hash.digest('hex')
}

function readIfThere(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch {
    return new Uint8Array(0)
  }
}

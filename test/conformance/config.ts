import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { checkAlertmanagerConfig } from '@narthex/config/alertmanager-config'
import { checkPrometheusConfig } from '@narthex/config/prometheus-config'

// Configuration files with a verdict each: DIR holds the files, DIR.tsv beside it (or a *.tsv in it) the lines
// `file ⇥ verdict ⇥ text that the error contains`.

export interface ConfigReport {
  readonly passed: number
  readonly failures: readonly string[]
}

type Check = (text: string, path: string, isAgent: boolean) => { readonly isGood: boolean; readonly goText?: string }

const checks: Readonly<Record<string, Check>> = {
  'prometheus-config': (text, path, isAgent) => checkPrometheusConfig(text, path, isAgent ? 'agent' : 'server'),
  'alertmanager-config': (text, path) => checkAlertmanagerConfig(text, path),
}

export function runConfigFolder(kind: string, folder: string): ConfigReport {
  const check = checks[kind]!
  const failures: string[] = []
  let passed = 0
  const [, ...lines] = readFileSync(`${folder.replace(/\/$/, '')}.tsv`, 'utf8')
    .trimEnd()
    .split('\n')
  for (const line of lines) {
    const [file = '', verdict = '', wanted = ''] = line.split('\t')
    const path = join(folder, file)
    const result = check(readFileSync(path, 'utf8'), path, verdict.includes('agent'))
    const wantsGood = verdict.startsWith('good')
    // The cases were written where their files lay in a folder of this name.
    const text = (result.goText ?? '').replaceAll(dirname(path), 'testdata')
    if (result.isGood !== wantsGood) failures.push(`${file}: want ${verdict}, got ${result.isGood ? 'good' : text}`)
    else if (!wantsGood && !text.includes(wanted))
      failures.push(`${file}: want an error with ${JSON.stringify(wanted)}, got ${JSON.stringify(text)}`)
    else passed++
  }
  return { passed, failures }
}

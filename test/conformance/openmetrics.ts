import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { validateOpenMetrics } from '@narthex/exposition/validate-openmetrics'

// The parser cases of the OpenMetrics suite: DIR holds a folder per case with `test.json` {type, file, shouldParse} and the body.

export interface OpenMetricsReport {
  readonly passed: number
  readonly failures: readonly string[]
}

export function runOpenMetricsFolder(folder: string): OpenMetricsReport {
  const failures: string[] = []
  let passed = 0
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name)
    if (!existsSync(join(path, 'test.json'))) continue
    const problem = runCase(path)
    if (problem === undefined) passed++
    else failures.push(`${name}: ${problem}`)
  }
  if (passed + failures.length === 0) failures.push(`${folder}: want folders with a test.json, got none`)
  return { passed, failures }
}

/** What is wrong with our verdict, or undefined. */
function runCase(path: string): string | undefined {
  const test: unknown = JSON.parse(readFileSync(join(path, 'test.json'), 'utf8'))
  if (typeof test !== 'object' || test === null || !('file' in test) || !('shouldParse' in test))
    return 'test.json has no file or shouldParse'
  const { file, shouldParse } = test
  if (typeof file !== 'string' || typeof shouldParse !== 'boolean') return 'test.json has a file or shouldParse of the wrong type'
  if ('type' in test && test.type !== 'text') return `want a case of type text, got ${JSON.stringify(test.type)}`
  const [first] = validateOpenMetrics(readFileSync(join(path, file)))
  if (shouldParse) return first === undefined ? undefined : `want no problem, got line ${first.line}: ${first.text}`
  return first === undefined ? 'want a problem, got none' : undefined
}

import { builtinRules, builtinRulesPath } from './builtin-rules.ts'
import { execFile } from 'node:child_process'
import { expect, test } from 'vitest'
import { join } from 'node:path'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { parseExpression } from '@narthex/promql/parse/parse'
import { parseRuleFile } from '@narthex/config/rule-file'
import { promisify } from 'node:util'
import { tmpdir } from 'node:os'

test('the built-in rules pass our own checks and those of promtool', async () => {
  const groups = parseRuleFile(builtinRules, builtinRulesPath, { parseExpression })
  const count = groups.reduce((sum, group) => sum + group.rules.length, 0)
  expect(groups[0]?.rules[0]).toMatchObject({ kind: 'alerting', alert: 'Watchdog', expr: 'vector(1)', forMs: 0 })

  const directory = await mkdtemp(join(tmpdir(), 'narthex-rules-'))
  try {
    await writeFile(join(directory, 'rules.yml'), builtinRules)
    const { stdout } = await promisify(execFile)('promtool', ['check', 'rules', join(directory, 'rules.yml')])
    expect(stdout).toContain(`SUCCESS: ${count} rules found`)
  } finally {
    await rm(directory, { recursive: true })
  }
})

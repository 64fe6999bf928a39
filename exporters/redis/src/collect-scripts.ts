import { parseGoFloat } from '@narthex/model/number'
import type { RedisClient } from './redis-client.ts'
import { errorOf, fieldsOf, textOf } from './resp-value.ts'
import type { RedisSettings } from './settings.ts'
import { writeSorted, type Row, type TargetWriter } from './target-writer.ts'

/** Values of `redis_script_result`, as the original has them. */
const failed = 0
const succeeded = 1
const empty = 2

/** Runs the user's scripts in the server: each answers name, value, name, value, … in one array. `warn` gets one line per failure. */
export async function collectScripts(
  client: RedisClient,
  writer: TargetWriter,
  { scripts, scriptsAreReadOnly }: Pick<RedisSettings, 'scripts' | 'scriptsAreReadOnly'>,
  warn: (message: string) => void,
): Promise<void> {
  const results: Row[] = []
  const values: Row[] = []
  for (const { filename, text } of scripts) {
    const reply = await client.call(scriptsAreReadOnly ? 'EVAL_RO' : 'EVAL', text, '0')
    const failure = errorOf(reply)
    const fields = fieldsOf(reply)
    if (failure !== undefined) warn(`cannot run script ${filename}: ${failure}`)
    results.push({ labels: ['filename', filename], value: failure !== undefined ? failed : fields.size === 0 ? empty : succeeded })
    for (const [key, raw] of fields) {
      const value = parseGoFloat(textOf(raw) ?? '')
      if (value === undefined)
        warn(`cannot read the answer of script ${filename}: want a number for ${JSON.stringify(key)}, got other text`)
      else values.push({ labels: ['filename', filename, 'key', key], value })
    }
  }
  writeSorted(writer, 'script_result', 'Whether a script failed (0), succeeded (1) or answered nothing (2).', 'gauge', results)
  writeSorted(writer, 'script_values', 'Values that scripts answered.', 'gauge', values)
}

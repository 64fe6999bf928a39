import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { RespValue } from './resp-reader.ts'
import { fieldsOf, textOf } from './resp-value.ts'
import type { TargetWriter } from './target-writer.ts'

/**
 * Writes the size of the RDB file that CONFIG GET * names; 0 if it has not been written yet. Throws one line if the file cannot be looked at,
 * or if the server does not say where it is.
 */
export async function collectRdbSize(writer: TargetWriter, config: RespValue): Promise<void> {
  const settings = fieldsOf(config)
  const directory = textOf(settings.get('dir')) ?? ''
  const name = textOf(settings.get('dbfilename')) ?? ''
  if (directory === '' || name === '') throw new Error('cannot find the RDB file: want dir and dbfilename of the server, got neither')
  const path = join(directory, name)
  let bytes = 0
  try {
    bytes = (await stat(path)).size
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) {
      throw new Error(`cannot look at the RDB file: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    }
  }
  writer.gauge('rdb_current_size_bytes', 'Size of the RDB file on disk.', bytes)
}

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { readAsset, registerAssetRoot } from './asset.ts'
import { spawnWorker } from './worker.ts'

const directory = mkdtempSync(join(tmpdir(), 'narthex-asset-'))
afterAll(() => rmSync(directory, { recursive: true }))

describe('run from sources', () => {
  it('reads assets below their root only', () => {
    mkdirSync(join(directory, 'web/css'), { recursive: true })
    writeFileSync(join(directory, 'web/css/a.css'), 'x')
    writeFileSync(join(directory, 'secret'), 'y')
    registerAssetRoot('web', join(directory, 'web'))
    expect(Buffer.from(readAsset('web/css/a.css')!).toString()).toBe('x')
    for (const path of ['web/none', 'web/../secret', 'web/css', 'other/a', 'web', 'web/css/a.css/b', 'web/\0'])
      expect(readAsset(path)).toBeUndefined()
  })

  it('starts workers from their file', async () => {
    const file = join(directory, 'w.mjs')
    writeFileSync(file, `import { parentPort, workerData } from 'node:worker_threads'\nparentPort.postMessage(workerData + 1)`)
    const worker = spawnWorker('w', pathToFileURL(file), { workerData: 1, resourceLimits: { maxOldGenerationSizeMb: 64 } })
    expect(await new Promise((resolve) => worker.once('message', resolve))).toBe(2)
    await worker.terminate()
  })
})

import { launcher } from '@narthex/test/kit/narthex'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { expectHelperAnswers } from '@narthex/test/kit/risky-mount'
import { join } from 'node:path'
import { test } from 'vitest'
import { bundle } from './bundle.ts'

// The process that asks for mounts that may hang starts from every form that the program has; the single executable is in test/e2e/release.service.test.ts.

test('from a clone', { timeout: 60_000 }, () => expectHelperAnswers(launcher, []))

test('from the bundle of npm run build, with nothing of the clone beside it', { timeout: 120_000 }, async () => {
  const directory = makeTemporaryDirectory('narthex-bundle-')
  try {
    await bundle(directory.path, { version: '1.2.3-test', minify: true })
    await expectHelperAnswers(process.execPath, [join(directory.path, 'main.js')])
  } finally {
    directory.remove()
  }
})

import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { findHelperScript } from './statfs-helper-script.ts'

test('from the sources the helper is the source beside, whatever program runs', () => {
  for (const program of [undefined, '/narthex/main.js']) {
    const script = findHelperScript(program)
    expect(script).toMatch(/\/statfs-helper-main\.ts$/)
    expect(existsSync(script)).toBe(true)
  }
})

import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { makeDirectory } from './make-directory.ts'

describe('makeDirectory', () => {
  test('makes parents, and takes a directory that is there', () => {
    const root = mkdtempSync(join(tmpdir(), 'narthex-'))
    try {
      makeDirectory(join(root, 'a', 'b', 'c'))
      makeDirectory(join(root, 'a', 'b', 'c'))
      expect(statSync(join(root, 'a', 'b', 'c')).isDirectory()).toBe(true)
    } finally {
      rmSync(root, { recursive: true })
    }
  })

  test('comes back with an error where a parent refuses children', () => {
    expect(() => makeDirectory('/proc/narthex/data')).toThrow(/ENOENT|EPERM|EACCES/)
  })
})

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RootFiles } from './root-files.ts'

let directory: string
let files: RootFiles

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-root-'))
  mkdirSync(join(directory, 'root/etc/sites'), { recursive: true })
  mkdirSync(join(directory, 'etc'))
  writeFileSync(join(directory, 'etc/my.cnf'), 'of this machine')
  writeFileSync(join(directory, 'root/etc/my.cnf'), 'of the container')
  files = new RootFiles(join(directory, 'root'))
})

afterEach(() => rmSync(directory, { recursive: true }))

const link = (target: string, name: string): void => symlinkSync(target, join(directory, 'root', name))

test.each([
  ['an absolute link', '/etc/my.cnf', 'link.cnf'],
  ['a relative link', 'etc/my.cnf', 'link.cnf'],
  ['a link that climbs out', '../../../../../etc/my.cnf', 'link.cnf'],
])('%s stays within the root', async (_name, target, name) => {
  link(target, name)
  expect(await files.readText(`/${name}`, 100)).toBe('of the container')
})

test('links of directories are followed within the root, on the way too', async () => {
  link('/etc', 'conf')
  expect(await files.readText('/conf/../conf/./my.cnf', 100)).toBe('of the container')
  expect(await files.list('/conf')).toEqual(['my.cnf', 'sites'])
})

test('a loop of links ends', async () => {
  link('b', 'a')
  link('a', 'b')
  await expect(files.readText('/a', 100)).rejects.toThrow('too many links')
})

test('what is larger, missing or no file is refused', async () => {
  expect(await files.readText('/etc/my.cnf', 16)).toBe('of the container')
  await expect(files.readText('/etc/my.cnf', 15)).rejects.toThrow('want at most 15 bytes')
  await expect(files.readText('/etc/none', 15)).rejects.toThrow('ENOENT')
  await expect(files.readText('/etc/sites', 15)).rejects.toThrow('want a regular file')
})

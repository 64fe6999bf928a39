import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { readMemoryLimit } from './memory-limit.ts'

const roots: string[] = []

afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true })
})

function makeRoot(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'narthex-memory-limit-'))
  roots.push(root)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

it('reads the limit of the own group of version 2', () => {
  const root = makeRoot({ 'proc/self/cgroup': '0::/app.slice/x\n', 'sys/fs/cgroup/app.slice/x/memory.max': '1073741824\n' })
  expect(readMemoryLimit(root)).toBe(2 ** 30)
})

it('takes the lowest limit of the groups above', () => {
  const root = makeRoot({
    'proc/self/cgroup': '0::/a/b/c\n',
    'sys/fs/cgroup/a/memory.max': '536870912\n',
    'sys/fs/cgroup/a/b/memory.max': '1073741824\n',
    'sys/fs/cgroup/a/b/c/memory.max': 'max\n',
  })
  expect(readMemoryLimit(root)).toBe(2 ** 29)
})

it('reads a nested group of version 1 among others', () => {
  const root = makeRoot({
    'proc/self/cgroup': '8:pids:/\n4:cpu,memory:/docker/1f\n0::/\n',
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    'sys/fs/cgroup/memory/docker/1f/memory.limit_in_bytes': '268435456\n',
  })
  expect(readMemoryLimit(root)).toBe(2 ** 28)
})

it('reads the root of a container that does not see the path outside', () => {
  const root = makeRoot({ 'proc/self/cgroup': '4:memory:/kubepods/pod1/2\n', 'sys/fs/cgroup/memory/memory.limit_in_bytes': '104857600\n' })
  expect(readMemoryLimit(root)).toBe(100 * 2 ** 20)
})

it('knows no limit where there is none', () => {
  expect(readMemoryLimit(makeRoot({ 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/memory.max': 'max\n' }))).toBeUndefined()
  expect(readMemoryLimit(makeRoot({ 'proc/self/cgroup': 'nonsense\n' }))).toBeUndefined()
  expect(readMemoryLimit(makeRoot({}))).toBeUndefined()
})

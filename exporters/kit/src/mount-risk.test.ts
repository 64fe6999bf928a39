import { expect, test } from 'vitest'
import { parseMountInfo } from './mount-info.ts'
import { findRiskyMounts } from './mount-risk.ts'

function risksOf(...mounts: (readonly [path: string, type: string])[]): boolean[] {
  const lines = mounts.map(([path, type], index) => `${index} 1 0:${index} / ${path} rw - ${type} none rw\n`)
  return findRiskyMounts(parseMountInfo(Buffer.from(lines.join(''))))
}

test('a local file system is safe unless it lies under one that is not', () => {
  expect(risksOf(['/', 'ext4'], ['/a', 'nfs4'], ['/a/b', 'ext4'], ['/ab', 'xfs'], ['/c', 'tmpfs'])).toEqual([
    false,
    true,
    true,
    false,
    false,
  ])
})

test('a mount hidden by one that may hang may hang too', () => {
  expect(risksOf(['/', 'ext4'], ['/m', 'ext4'], ['/m', 'fuse.sshfs'])).toEqual([false, true, true])
})

test('on a root that may hang everything may', () => {
  expect(risksOf(['/', 'nfs'], ['/tmp', 'tmpfs'])).toEqual([true, true])
})

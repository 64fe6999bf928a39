import { afterAll, beforeAll, expect, test } from 'vitest'
import { spawn } from 'node:child_process'
import { onlyCollector, parseText, scrapeOnce, scrapeTree, valueOf } from './test-exporter.ts'
import { unpackTestTrees, type TestTrees } from './test-tree.ts'

let trees: TestTrees
beforeAll(() => {
  trees = unpackTestTrees()
})
afterAll(() => trees.remove())

const portal = ['device', 'portal', 'device_error', '', 'fstype', 'fuse.portal', 'mountpoint', '/run/user/1000/doc']

test('each mount is shown once, with the path as people write it', async () => {
  const families = parseText(await scrapeOnce({ ...trees.flags, ...onlyCollector('filesystem') }))
  const mountPoints = families.get('node_filesystem_device_error')!.samples.map(({ labels }) => labels[7])
  expect(mountPoints).toEqual([
    '/mnt/tab\ttab',
    '/var/lib/data disk',
    '/mnt/back\\slash',
    '/',
    '/mnt/gone',
    '/run/user/1000/doc',
    '/run',
    '/run/user/1000',
  ])
  expect(valueOf(families, 'node_filesystem_readonly', ...portal)).toBe(1)
  expect(valueOf(families, 'node_filesystem_size_bytes', ...portal)).toBeGreaterThan(0)
})

test('an error is a label in the words of the original, and leaves out the sizes', async () => {
  const families = parseText(await scrapeOnce({ ...trees.flags, ...onlyCollector('filesystem') }))
  const gone = ['device', 'gone', 'device_error', 'no such file or directory', 'fstype', 'tmpfs', 'mountpoint', '/mnt/gone']
  expect(valueOf(families, 'node_filesystem_device_error', ...gone)).toBe(1)
  expect(families.get('node_filesystem_size_bytes')!.samples.some(({ labels }) => labels.includes('/mnt/gone'))).toBe(false)
})

test('a mount that hangs is marked, and the rest of the scrape comes in time', async () => {
  const spawnHelper = () => spawn('sleep', ['60'], { stdio: ['pipe', 'pipe', 'ignore'] })
  const flags = { ...trees.flags, ...onlyCollector('filesystem'), 'collector.filesystem.mount-timeout': '300ms' }
  // The helper would hang for longer than the test may take, and the scrape for ten seconds.
  const startMs = performance.now()
  const families = parseText(await scrapeOnce(flags, { spawnHelper }))
  expect(performance.now() - startMs).toBeLessThan(9000)
  const stuck = portal.with(3, 'mountpoint timeout')
  expect(valueOf(families, 'node_filesystem_device_error', ...stuck)).toBe(1)
  expect(families.get('node_filesystem_size_bytes')!.samples.map(({ labels }) => labels[7])).toContain('/')
  expect(valueOf(families, 'node_scrape_collector_success', 'collector', 'filesystem')).toBe(1)
})

test('include patterns take the place of the default exclude patterns', async () => {
  const flags = { ...trees.flags, ...onlyCollector('filesystem'), 'collector.filesystem.fs-types-include': '^(proc|devtmpfs)$' }
  const onlyTypes = await scrapeOnce({ ...flags, 'collector.filesystem.mount-points-include': '^/proc' })
  expect(onlyTypes.match(/mountpoint="[^"]*"/g)).toContain('mountpoint="/proc"')
  expect(onlyTypes).not.toContain('mountpoint="/dev"')
})

test('nothing that may hang is asked for without a helper process', async () => {
  let spawned = 0
  const spawnHelper = () => {
    spawned++
    return spawn('true', { stdio: ['pipe', 'pipe', 'ignore'] })
  }
  await scrapeOnce({ ...trees.flags, ...onlyCollector('filesystem'), 'collector.filesystem.fs-types-exclude': '^fuse' }, { spawnHelper })
  expect(spawned).toBe(0)
})

test('of two mounts on one point the upper one is shown, which is the one that can be seen', async () => {
  const mounts = ['21 1 0:21 / /proc ro,nosuid - tmpfs tmpfs ro', '22 21 0:22 / /proc rw,nosuid - tmpfs tmpfs rw']
  const flags = { ...onlyCollector('filesystem'), 'collector.filesystem.mount-points-exclude': '' }
  const { samples } = await scrapeTree('filesystem', `== proc/1/mountinfo\n${mounts.join('\n')}\n/ rootfs/proc\n`, { flags })
  const infos = samples.filter((sample) => sample.startsWith('node_filesystem_mount_info'))
  expect(infos).toEqual(['node_filesystem_mount_info{device="tmpfs",major="0",minor="22",mountpoint="/proc"} 1'])
  expect(samples).toContain('node_filesystem_readonly{device="tmpfs",device_error="",fstype="tmpfs",mountpoint="/proc"} 0')
})

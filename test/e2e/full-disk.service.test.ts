import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mountSmallDisk } from '../faults/storage/small-disk.ts'
import { queryVector, startNarthex } from '../kit/narthex.ts'
import { waitFor } from '../kit/process.ts'
import { writeRequest } from '../kit/remote-write.ts'

// A server whose disk gets full, as a sender and a user see it.

test('a full disk is answered with 503 and one line, queries go on, and writes too once there is room', { timeout: 90_000 }, async () => {
  const disk = mountSmallDisk(32)
  const narthex = await startNarthex('server', { config: 'scrape_configs: []\n', directory: join(disk.path, 'own') })
  const write = (value: number) => writeRequest(narthex.url, [{ labels: { __name__: 'm' }, samples: [[Date.now(), value]] }])
  try {
    await write(1)
    await waitFor('the server to notice', async () => {
      // Again and again: it may have given something back since.
      disk.fill(200 * 1024)
      return (await readMetric(narthex.url, 'narthex_tsdb_disk_read_only')) === 1
    })
    await expect(write(2)).rejects.toThrow(/answered 503 no room on the disk of \S+: writes are refused until there is/)
    const refused = await fetch(`${narthex.url}/api/v1/write`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
      body: new Uint8Array(1),
    })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
    expect((await queryVector(narthex.url, 'm')).map(({ value }) => value[1])).toEqual(['1'])
    expect(narthex.output().match(/level=(ERROR|WARN)[^\n]*disk/g)).toHaveLength(1)
    disk.free()
    const freedMs = performance.now()
    await waitFor('a write that is taken', () => write(3).then(() => true))
    expect(performance.now() - freedMs).toBeLessThan(10_000)
    expect((await queryVector(narthex.url, 'm')).map(({ value }) => value[1])).toEqual(['3'])
    expect(await readMetric(narthex.url, 'narthex_tsdb_disk_full_total')).toBe(1)
    expect(await readMetric(narthex.url, 'narthex_tsdb_disk_reserve_bytes')).toBe(Math.floor(32 * 2 ** 20 * 0.01))
  } finally {
    await narthex.remove()
    disk.remove()
  }
})

async function readMetric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

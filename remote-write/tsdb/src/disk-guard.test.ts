import { existsSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLogger } from '@narthex/service/logger'
import { DiskGuard } from './disk-guard.ts'
import { defaultReserveBytes, DiskReserve, isDiskFull, reserveBytesDefault } from './disk-reserve.ts'

const reserveBytes = 4 * 1024 * 1024
const markBytes = reserveBytes / 2
let directory = ''
let freeBytes = 0
let lines: string[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-disk-'))
  lines = []
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function path(): string {
  return join(directory, 'disk-reserve')
}

function createGuard(bytesMax = reserveBytes): DiskGuard {
  const reserve = new DiskReserve(path(), bytesMax)
  const log = createLogger({ write: (line) => lines.push(line) })
  return new DiskGuard({ directory, reserve, log, freeBytes: () => Promise.resolve(freeBytes) })
}

function noSpace(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
}

describe('the guard of the disk', () => {
  it('writes the reserve when there is room for it and for twice the mark, not before', async () => {
    const guard = createGuard()
    freeBytes = reserveBytes + 2 * markBytes - 1
    await guard.check()
    expect([guard.isReadOnly, guard.reserve.bytes, existsSync(path())]).toEqual([false, 0, false])
    freeBytes++
    await guard.check()
    expect([guard.reserve.bytes, statSync(path()).size]).toEqual([reserveBytes, reserveBytes])
    expect(statSync(path()).blocks * 512).toBeGreaterThanOrEqual(reserveBytes)
  })

  it('refuses writes below the mark, takes them again at twice the mark, and tells each once', async () => {
    const guard = createGuard()
    freeBytes = 1e9
    await guard.check()
    freeBytes = markBytes
    await guard.check()
    expect(guard.refusal()).toBeUndefined()
    for (freeBytes of [markBytes - 1, 0, 2 * markBytes - 1]) {
      await guard.check()
      expect(guard.refusal()).toBe(`no room on the disk of ${directory}: writes are refused until there is`)
    }
    expect([guard.timesFull, guard.writesRefused]).toEqual([1, 3])
    freeBytes = 2 * markBytes
    await guard.check()
    expect(guard.refusal()).toBeUndefined()
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(/level=ERROR .*msg="No room on the disk: writes are refused until there is, queries are answered"/)
    expect(lines[1]).toMatch(/level=INFO .*msg="There is room on the disk again: writes are taken"/)
  })

  it('gives the reserve to what makes room, and wants it back before writes go on', async () => {
    const guard = createGuard()
    freeBytes = 1e9
    await guard.check()
    await guard.work(() => Promise.resolve())
    expect(guard.reserve.bytes).toBe(reserveBytes)
    let bytesAtWork = -1
    guard.onReadOnly = () => void guard.work(async () => void (bytesAtWork = statSync(path()).size))
    guard.noteFailure(noSpace())
    expect([bytesAtWork, guard.reserve.bytes]).toEqual([0, 0])
    freeBytes = reserveBytes + 2 * markBytes - 1
    await guard.check()
    expect(guard.isReadOnly).toBe(true)
    freeBytes++
    await guard.check()
    expect([guard.isReadOnly, guard.reserve.bytes]).toEqual([false, reserveBytes])
  })

  it('gives the reserve also to work that was under way when the disk got full', async () => {
    const guard = createGuard()
    freeBytes = 1e9
    await guard.check()
    await guard.work(async () => {
      expect(guard.reserve.bytes).toBe(reserveBytes)
      guard.noteFailure(noSpace())
      expect(statSync(path()).size).toBe(0)
    })
  })

  it('takes a failed write for a full disk only if the system says so, also in a cause', () => {
    const guard = createGuard()
    guard.noteFailure(new Error('no'))
    guard.noteFailure(Object.assign(new Error('EIO'), { code: 'EIO' }))
    expect(guard.isReadOnly).toBe(false)
    guard.noteFailure(new Error('cannot write', { cause: Object.assign(new Error('EDQUOT'), { code: 'EDQUOT' }) }))
    expect(guard.isReadOnly).toBe(true)
    expect(isDiskFull('ENOSPC')).toBe(false)
  })

  it('does not believe a disk that says it has room and does not take the bytes', async () => {
    const guard = createGuard()
    guard.noteFailure(noSpace())
    rmSync(directory, { recursive: true })
    freeBytes = 1e12
    await guard.check()
    expect(guard.isReadOnly).toBe(true)
  })

  it('without a reserve leaves no file and works all the same', async () => {
    writeFileSync(path(), new Uint8Array(100))
    const guard = createGuard(0)
    guard.reserve.takeOver()
    expect(existsSync(path())).toBe(false)
    guard.noteFailure(noSpace())
    freeBytes = 2 * 1024 * 1024 - 1
    await guard.check()
    expect(guard.isReadOnly).toBe(true)
    freeBytes++
    await guard.check()
    expect([guard.isReadOnly, existsSync(path())]).toEqual([false, false])
  })

  it('knows what fits without coming near the mark', async () => {
    const guard = createGuard()
    freeBytes = 10 * markBytes
    await guard.check()
    expect([guard.hasRoomFor(8 * markBytes), guard.hasRoomFor(8 * markBytes + 1)]).toEqual([true, false])
    guard.noteFailure(noSpace())
    expect(guard.hasRoomFor(0)).toBe(false)
  })
})

describe('the reserve', () => {
  it('of an earlier start is taken over, cut to its size, and not if it has holes', () => {
    const takenOver = (): number => {
      const reserve = new DiskReserve(path(), reserveBytes)
      reserve.takeOver()
      return reserve.bytes
    }
    writeFileSync(path(), new Uint8Array(1000))
    expect(takenOver()).toBe(1000)
    writeFileSync(path(), new Uint8Array(reserveBytes + 1))
    expect([takenOver(), statSync(path()).size]).toEqual([reserveBytes, reserveBytes])
    truncateSync(path(), 0)
    truncateSync(path(), reserveBytes)
    expect([takenOver(), existsSync(path())]).toEqual([0, false])
  })

  it('that is given up while it is written stays empty', async () => {
    const reserve = new DiskReserve(path(), 64 * 1024 * 1024)
    const filling = reserve.fill(0)
    await new Promise((resolve) => setImmediate(resolve))
    reserve.release()
    await filling
    expect([reserve.bytes, statSync(path()).size]).toEqual([0, 0])
  })

  it('is 64 MiB by default, or a hundredth of a small disk, wherever the directory will be', () => {
    const bytes = defaultReserveBytes(join(directory, 'not', 'yet', 'there'))
    expect(bytes).toBeGreaterThan(0)
    expect(bytes).toBeLessThanOrEqual(reserveBytesDefault)
    expect(bytes).toBe(defaultReserveBytes(directory))
  })
})

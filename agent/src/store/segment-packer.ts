import { open, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncDirectory } from '@narthex/service/sync-directory'
import {
  createHeader,
  headerBytes,
  isOfPackedSegment,
  isPacked,
  isPayloadWhole,
  markPackedSegment,
  putHeader,
  readHeader,
} from './frame-header.ts'
import { packPayload } from './packed-payload.ts'

/** Read at a time; a larger frame gets a buffer of its own. */
const windowBytes = 256 * 1024
const outBytes = 256 * 1024

export const packedSuffix = '.packing'

/**
 * Writes a finished segment anew with every payload compressed, frame by frame, so that damage stays as local as before, and puts it in the
 * old one's place; returns its new size. One that is packed already is not touched. Undefined: it was left as it is, because a frame in it is
 * damaged or `isWanted` said no meanwhile.
 * Memory: two buffers of 256 KiB and a frame. Throws what the file system says.
 */
export async function packSegment(path: string, bytes: number, isWanted: () => boolean): Promise<number | undefined> {
  const temporary = `${path}${packedSuffix}`
  const from = await open(path, 'r')
  try {
    if (await isSegmentPacked(from)) return bytes
    const to = await open(temporary, 'w', 0o640)
    let packedBytes: number | undefined
    try {
      packedBytes = await packFrames(from, to, bytes, isWanted)
      if (packedBytes !== undefined) {
        // The age of its samples is that of the file.
        const { atime, mtime } = await from.stat()
        await to.utimes(atime, mtime)
        await to.sync()
      }
    } finally {
      await to.close()
      if (packedBytes === undefined) await rm(temporary, { force: true })
    }
    if (packedBytes === undefined) return undefined
    if (!isWanted()) {
      await rm(temporary, { force: true })
      return undefined
    }
    await rename(temporary, path)
    await syncDirectory(dirname(path))
    return packedBytes
  } finally {
    await from.close()
  }
}

// A segment is packed whole or not at all, so its first frame speaks for all: nobody but us writes packed frames.
async function isSegmentPacked(from: FileHandle): Promise<boolean> {
  const first = Buffer.alloc(headerBytes)
  const { bytesRead } = await from.read(first, 0, headerBytes, 0)
  const header = createHeader()
  return readHeader(first, 0, bytesRead, header) && isOfPackedSegment(first, 0, header)
}

async function packFrames(from: FileHandle, to: FileHandle, bytes: number, isWanted: () => boolean): Promise<number | undefined> {
  const header = createHeader()
  const out = new OutBuffer(to)
  let window = Buffer.alloc(windowBytes)
  // The window holds the file's bytes [start, start + held).
  let start = 0
  let held = 0
  for (let at = 0; at < bytes;) {
    let needed = headerBytes
    for (;;) {
      const offset = at - start
      if (offset >= 0 && offset + needed <= held) {
        if (needed > headerBytes) break
        if (!readHeader(window, offset, held, header)) return undefined
        needed = headerBytes + header.payloadBytes
        if (needed === headerBytes) break
        continue
      }
      if (at + needed > bytes) return undefined
      if (needed > window.length) window = Buffer.alloc(needed)
      const { bytesRead } = await from.read(window, 0, Math.min(window.length, bytes - at), at)
      start = at
      held = bytesRead
      if (held < needed) return undefined
    }
    const offset = at - start
    const end = offset + needed
    if (!isPayloadWhole(window, offset, end, header) || !isWanted()) return undefined
    const packed = (header.columns & isPacked) === 0 ? await packPayload(window.subarray(offset + headerBytes, end)) : undefined
    let frame: Uint8Array = window.subarray(offset, end)
    if (packed !== undefined) {
      frame = new Uint8Array(headerBytes + packed.length)
      frame.set(packed, headerBytes)
      header.columns |= isPacked
      putHeader(frame, 0, frame.length, header)
    }
    if (at === 0) markPackedSegment(frame, 0)
    await out.add(frame)
    at += needed
  }
  await out.flush()
  return out.bytes
}

class OutBuffer {
  readonly #file: FileHandle
  readonly #buffer = Buffer.alloc(outBytes)
  #used = 0
  bytes = 0

  constructor(file: FileHandle) {
    this.#file = file
  }

  async add(bytes: Uint8Array): Promise<void> {
    this.bytes += bytes.length
    if (this.#used + bytes.length > outBytes) await this.flush()
    if (bytes.length > outBytes) await this.#write(bytes)
    else {
      this.#buffer.set(bytes, this.#used)
      this.#used += bytes.length
    }
  }

  async flush(): Promise<void> {
    await this.#write(this.#buffer.subarray(0, this.#used))
    this.#used = 0
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += (await this.#file.write(bytes, at, bytes.length - at)).bytesWritten
  }
}

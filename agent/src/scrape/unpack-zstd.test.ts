import { constants, createZstdCompress, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { UnpackedTooLargeError } from './unpacked-too-large.ts'
import { unpackZstd } from './unpack-zstd.ts'

test('gives back what was packed, in one frame or several', () => {
  const frames = ['up 1\n', 'a 2\n', ''].map((text) => zstdCompressSync(text))
  expect(Buffer.from(unpackZstd(frames[0]!, 100)).toString()).toBe('up 1\n')
  expect(Buffer.from(unpackZstd(Buffer.concat(frames), 100)).toString()).toBe('up 1\na 2\n')
})

test('refuses one byte more than the limit, whichever frame has it', () => {
  const one = zstdCompressSync(Buffer.alloc(1000, 97))
  const two = Buffer.concat([zstdCompressSync(Buffer.alloc(600, 97)), zstdCompressSync(Buffer.alloc(400, 98))])
  for (const packed of [one, two]) {
    expect(unpackZstd(packed, 1000).length).toBe(1000)
    for (const limit of [999, 600, 1]) expect(() => unpackZstd(packed, limit)).toThrow(UnpackedTooLargeError)
  }
})

test('refuses rubbish, also behind a frame, and a torn end', () => {
  const packed = zstdCompressSync(Buffer.alloc(1000, 97))
  expect(() => unpackZstd(Buffer.from('not zstd'), 5000)).toThrow('Unknown frame descriptor')
  expect(() => unpackZstd(Buffer.concat([packed, Buffer.from('rubbish')]), 5000)).toThrow('Unknown frame descriptor')
  expect(() => unpackZstd(packed.subarray(0, -2), 5000)).toThrow('unexpected end of file')
})

test.each([
  [23, true],
  [24, false],
])('takes a window of 2^%d bytes: %s', async (windowLog, isTaken) => {
  const packer = createZstdCompress({ params: { [constants.ZSTD_c_windowLog]: windowLog } })
  const chunks: Buffer[] = []
  packer.on('data', (chunk: Buffer) => chunks.push(chunk))
  // Flushed, so that the frame says its window and not its length.
  packer.write('up 1\n')
  await new Promise<void>((resolve) => packer.flush(() => resolve()))
  packer.end('a 2\n')
  await new Promise((resolve) => packer.once('end', resolve))
  const unpack = () => Buffer.from(unpackZstd(Buffer.concat(chunks), 1000)).toString()
  if (isTaken) expect(unpack()).toBe('up 1\na 2\n')
  else expect(unpack).toThrow('Frame requires too much memory')
})

import { promisify } from 'node:util'
import type * as Zlib from 'node:zlib'
import { gzipSmall, smallGzipBytesMax } from './small-gzip.ts'

export type ContentEncoding = 'identity' | 'gzip' | 'zstd'

/** Loaded with the first client that wants its answer packed. */
const zlib = (): typeof Zlib => process.getBuiltinModule('node:zlib')

// Level 3 takes a third of the default level's time and makes exposition text about a tenth larger.
const gzipLevel = 3

/** Up to so much is packed at once: a millisecond, and half the processor time that a helper thread costs. */
const gzipAtOnceBytesMax = 256 * 1024

// Who asks again likes the same.
let lastHeader = ''
let lastEncoding: ContentEncoding = 'identity'

/** The encoding that an Accept-Encoding header likes best; between equals gzip before zstd before none. */
export function negotiateEncoding(acceptEncoding: string | undefined): ContentEncoding {
  if (acceptEncoding === undefined || acceptEncoding === '') return 'identity'
  if (acceptEncoding !== lastHeader) {
    lastEncoding = findEncoding(acceptEncoding)
    lastHeader = acceptEncoding
  }
  return lastEncoding
}

function findEncoding(acceptEncoding: string): ContentEncoding {
  const weights: Record<ContentEncoding, number> = { gzip: 0, zstd: 0, identity: 0 }
  for (const item of acceptEncoding.split(',')) {
    const [rawName = '', ...parameters] = item.split(';')
    const name = rawName.trim().toLowerCase()
    const weight = readWeight(parameters)
    if (name === 'gzip' || name === 'zstd' || name === 'identity') weights[name] = weight
    else if (name === 'x-gzip' || name === '*') weights.gzip = Math.max(weights.gzip, weight)
  }
  if (weights.gzip > 0 && weights.gzip >= weights.zstd && weights.gzip >= weights.identity) return 'gzip'
  if (weights.zstd > 0 && weights.zstd >= weights.identity) return 'zstd'
  return 'identity'
}

/** A fresh array with the encoded bytes; `body` may be reused once the promise has settled, or at once if there is none. */
export function encodeBody(body: Uint8Array, encoding: 'gzip' | 'zstd'): Uint8Array | Promise<Uint8Array> {
  if (encoding === 'gzip' && body.length <= smallGzipBytesMax) return gzipSmall(body)
  if (encoding === 'gzip' && body.length <= gzipAtOnceBytesMax) return packAtOnce(body)
  if (encoding === 'gzip') return promisify(zlib().gzip)(body, { level: gzipLevel, chunkSize: 65_536 })
  const { constants, zstdCompress } = zlib()
  return promisify(zstdCompress)(body, { params: { [constants.ZSTD_c_compressionLevel]: 1 } })
}

// A window larger than the body only takes memory: a quarter of a megabyte, of which most answers of small exporters need a tenth.
function packAtOnce(body: Uint8Array): Uint8Array {
  const windowBits = Math.min(15, Math.max(9, 32 - Math.clz32(body.length)))
  return zlib().gzipSync(body, { level: gzipLevel, chunkSize: 16_384, windowBits, memLevel: windowBits - 7 })
}

function readWeight(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const match = /^\s*q=([0-9.]+)\s*$/i.exec(parameter)
    if (match !== null) return Number(match[1])
  }
  return 1
}

import { decodeSilences, encodeSilences } from '../silence/silence-codec.ts'
import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { Matcher } from '@narthex/model/matcher'
import { MessageFields, MessageWriter } from './protobuf.ts'
import { parseRfc3339 } from '../rfc3339.ts'

describe('protobuf', () => {
  test('64-bit numbers and times survive', () => {
    const big = 2n ** 64n - 1n
    const bytes = new MessageWriter().packedUints(1, [0n, 1n, big]).timestamp(2, -1n).timestamp(3, 1_700_000_000_123_456_789n).finish()
    const fields = new MessageFields(bytes)
    expect(fields.uints(1)).toEqual([0n, 1n, big])
    expect(fields.timestamp(2)).toBe(-1n)
    expect(fields.timestamp(3)).toBe(1_700_000_000_123_456_789n)
  })

  test('reads the bytes that Alertmanager writes', () => {
    // silencepb.MeshSilence as Alertmanager 0.25 left it in its file.
    const hex =
      '7d0a6d0a2464616434663535382d646234642d343766652d383339652d643734376235353239623930120a08011201611a03627c6312080802120178' +
      '1a01791a0c0893be8fd80610bce0e2fd01220c0893be8fd806108cdafe9a022a0c0893be8fd806108cdafe9a0242026d654a0163120c0893eda9d806108cdafe9a02'
    const silence = {
      id: 'dad4f558-db4d-47fe-839e-d747b5529b90',
      matchers: [new Matcher('=~', 'a', 'b|c'), new Matcher('!=', 'x', 'y')],
      startsAtNs: parseRfc3339('2026-11-23T06:37:07.532197436Z')!,
      endsAtNs: parseRfc3339('2026-11-23T06:37:07.593472780Z')!,
      updatedAtNs: parseRfc3339('2026-11-23T06:37:07.593472780Z')!,
      createdBy: 'me',
      comment: 'c',
    }
    const expiresAtNs = silence.endsAtNs + 432_000_000_000_000n
    expect(decodeSilences(Buffer.from(hex, 'hex'))).toEqual([{ silence, expiresAtNs }])
    expect(Buffer.from(encodeSilences([{ silence, expiresAtNs }])).toString('hex')).toBe(hex)
  })

  test('damaged bytes are an error, never a hang', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeSilences(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

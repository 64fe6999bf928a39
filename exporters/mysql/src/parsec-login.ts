import { promisify } from 'node:util'
import type * as Crypto from 'node:crypto'

/** Loaded by the first login of this kind. */
const crypto = (): typeof Crypto => process.getBuiltinModule('node:crypto')

const challengeBytes = 32
/** What Ed25519 seeds begin with in PKCS #8 (RFC 8410). */
const keyPrefix = Buffer.from('302e020100300506032b657004220420', 'hex')
/** 1,024 iterations, doubled this many times: MariaDB's own most, a second of work. */
const doublingsMax = 10

/**
 * The answer to MariaDB's `parsec`: the password becomes a key with the salt that the account has (`P`, doublings of 1,024 iterations,
 * salt), and that signs the server's challenge and one of ours.
 */
export async function signWithDerivedKey(
  password: string,
  challenge: Uint8Array,
  salt: Uint8Array,
  ownChallenge: Uint8Array = crypto().randomBytes(challengeBytes),
): Promise<Buffer> {
  const doublings = salt[1] ?? 0
  if (salt[0] !== 0x50 || salt.length < 3 || doublings > doublingsMax) {
    throw new Error(
      `cannot log in by parsec: want P, up to ${doublingsMax} doublings and a salt, got 0x${Buffer.from(salt).toString('hex').slice(0, 16)}`,
    )
  }
  const { createPrivateKey, pbkdf2, sign } = crypto()
  const seed = await promisify(pbkdf2)(password, salt.subarray(2), 1024 << doublings, 32, 'sha512')
  const key = createPrivateKey({ key: Buffer.concat([keyPrefix, seed]), format: 'der', type: 'pkcs8' })
  return Buffer.concat([ownChallenge, sign(null, Buffer.concat([challenge, ownChallenge]), key)])
}

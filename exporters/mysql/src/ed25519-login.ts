import { Point } from '@noble/ed25519'

const groupOrder = Point.CURVE().n
const halfBytes = 32

/**
 * The answer to a challenge of MariaDB's `client_ed25519`: an Ed25519 signature (RFC 8032) whose secret is the password itself, of whatever
 * length, where the standard has a seed of 32 bytes. That is why the one in `node:crypto` does not fit.
 */
export function signWithPassword(password: string, challenge: Uint8Array): Buffer {
  const secret = sha512(Buffer.from(password, 'utf8'))
  const scalarBytes = secret.subarray(0, halfBytes)
  scalarBytes[0]! &= 0b1111_1000
  scalarBytes[31]! &= 0b0111_1111
  scalarBytes[31]! |= 0b0100_0000
  const scalar = readLittleEndian(scalarBytes) % groupOrder
  const nonce = readLittleEndian(sha512(secret.subarray(halfBytes), challenge)) % groupOrder
  const commitment = Point.BASE.multiply(nonce).toBytes()
  const publicKey = Point.BASE.multiply(scalar).toBytes()
  const hash = readLittleEndian(sha512(commitment, publicKey, challenge)) % groupOrder
  return Buffer.concat([commitment, writeLittleEndian((nonce + hash * scalar) % groupOrder)])
}

function sha512(...parts: readonly Uint8Array[]): Buffer {
  const hash = process.getBuiltinModule('node:crypto').createHash('sha512')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

function readLittleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}

function writeLittleEndian(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * halfBytes, '0'), 'hex').reverse()
}

import { createPublicKey, pbkdf2Sync, createPrivateKey, sign, verify } from 'node:crypto'
import { expect, test } from 'vitest'
import { signWithPassword } from './ed25519-login.ts'
import { signWithDerivedKey } from './parsec-login.ts'

const challenge = Buffer.from(Array.from({ length: 32 }, (_none, index) => index * 7))
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex')
const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex')

function publicKey(raw: Uint8Array) {
  return createPublicKey({ key: Buffer.concat([publicPrefix, raw]), format: 'der', type: 'spki' })
}

function privateKey(seed: Uint8Array) {
  return createPrivateKey({ key: Buffer.concat([privatePrefix, seed]), format: 'der', type: 'pkcs8' })
}

test('a password of 32 bytes signs as the standard has it', () => {
  const password = 'just thirty-two bytes, no more!!'
  expect(signWithPassword(password, challenge)).toEqual(sign(null, challenge, privateKey(Buffer.from(password))))
})

test(`MariaDB's documented key of "secret" takes its signature, and no other`, () => {
  const key = publicKey(Buffer.from('ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY', 'base64'))
  expect(verify(null, challenge, key, signWithPassword('secret', challenge))).toBe(true)
  expect(verify(null, challenge, key, signWithPassword('Secret', challenge))).toBe(false)
})

test('parsec signs both challenges with the key of the password and the salt', async () => {
  const salt = Buffer.from('eighteen bytes, ok')
  const own = Buffer.alloc(32, 9)
  const answer = await signWithDerivedKey('pässword', challenge, Buffer.concat([Buffer.from([0x50, 2]), salt]), own)
  const key = createPublicKey(privateKey(pbkdf2Sync('pässword', salt, 4096, 32, 'sha512')))
  expect(answer.subarray(0, 32)).toEqual(own)
  expect(verify(null, Buffer.concat([challenge, own]), key, answer.subarray(32))).toBe(true)
})

test.each([
  ['another function', [0x51, 0, 1]],
  ['no salt', [0x50, 0]],
  ['nothing', []],
  ['more work than a server may ask for', [0x50, 11, 1]],
])('parsec refuses %s', async (_name, salt) => {
  await expect(signWithDerivedKey('p', challenge, Buffer.from(salt))).rejects.toThrow('cannot log in by parsec: want P, up to 10 doublings')
})

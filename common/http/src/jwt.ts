import type * as Crypto from 'node:crypto'

// Loaded by who makes a token: 2 MB that other users of the client do not need.
const crypto = (): typeof Crypto => process.getBuiltinModule('node:crypto')

export type JwtAlgorithm = 'RS256' | 'RS384' | 'RS512'

/** Signs a JSON Web Token (RFC 7519) with an RSA key in PEM. Throws one line, without the key, when the key cannot be used. */
export function signJwt(claims: Readonly<Record<string, unknown>>, keyPem: string, algorithm: JwtAlgorithm, keyId?: string): string {
  const header = { alg: algorithm, typ: 'JWT', ...(keyId === undefined || keyId === '' ? {} : { kid: keyId }) }
  const text = `${encodePart(header)}.${encodePart(claims)}`
  const signature = crypto().sign(`RSA-SHA${algorithm.slice(2)}`, Buffer.from(text), readRsaKey(keyPem))
  return `${text}.${signature.toString('base64url')}`
}

/** A number for `jti` that no other token has. */
export function newTokenId(): string {
  return crypto().randomUUID()
}

function encodePart(part: Readonly<Record<string, unknown>>): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

function readRsaKey(pem: string): Crypto.KeyObject {
  let key: Crypto.KeyObject
  try {
    key = crypto().createPrivateKey(pem)
  } catch {
    // OpenSSL's words say nothing to a user.
    throw new Error('cannot sign a token: want a private key in PEM, got something else')
  }
  if (key.asymmetricKeyType !== 'rsa') throw new Error(`cannot sign a token: want an RSA key, got ${key.asymmetricKeyType ?? 'another'}`)
  return key
}

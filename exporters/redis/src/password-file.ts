import { readFileSync } from 'node:fs'
import { parseRedisAddress, type RedisAddress } from './redis-address.ts'

/** Passwords by the address of the server, with the user where there is one: `redis://user@host:6379`. */
export type PasswordMap = ReadonlyMap<string, string>

/** Largest password file. */
export const passwordFileBytesMax = 1024 * 1024

/**
 * Reads a file of the form `{"redis://host:6379": "password", "rediss://user@host:6380": "password"}`. Throws one line that names the file
 * and never what is in it.
 */
export function readPasswordFile(path: string): PasswordMap {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (cause) {
    throw new Error(`cannot read password file ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  if (bytes.length > passwordFileBytesMax) throw new Error(`cannot read password file ${path}: want at most ${passwordFileBytesMax} bytes`)
  let parsed: unknown
  try {
    parsed = JSON.parse(bytes.toString('utf8'))
  } catch {
    // JSON.parse quotes the text it stumbled over.
    throw new Error(`cannot read password file ${path}: want a JSON object of addresses and passwords, got other text`)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new Error(`cannot read password file ${path}: want a JSON object of addresses and passwords, got another value`)
  }
  const passwords = new Map<string, string>()
  for (const [address, password] of Object.entries(parsed)) {
    if (typeof password !== 'string') {
      throw new Error(`cannot read password file ${path}: want a text as password of every address, got ${typeof password}`)
    }
    const { text, username } = readAddress(path, address)
    passwords.set(keyOf(text, username), password)
  }
  return passwords
}

function readAddress(path: string, address: string): RedisAddress {
  try {
    return parseRedisAddress(address)
  } catch (cause) {
    throw new Error(`cannot read password file ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** The password of `user` (empty: the server's default user) at `address` as `RedisAddress.text` has it. */
export function findPassword(passwords: PasswordMap, address: string, user: string): string | undefined {
  return passwords.get(keyOf(address, user))
}

function keyOf(address: string, user: string): string {
  return `${user}@${address}`
}

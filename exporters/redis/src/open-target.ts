import { findPassword, type PasswordMap } from './password-file.ts'
import { parseRedisAddress, type RedisAddress } from './redis-address.ts'
import { RedisClient } from './redis-client.ts'
import { errorOf } from './resp-value.ts'
import { loadTls, type RedisSettings } from './settings.ts'

/** A server and all that is needed to get in. */
export interface Target {
  readonly address: RedisAddress
  readonly settings: RedisSettings
  readonly passwords: PasswordMap
}

/** The server let nobody in: its own words, without what was tried. */
export class LoginError extends Error {
  override name = 'LoginError'
}

/** Connects, authenticates and selects the database of the address. Rejects with a short text that does not vary from try to try. */
export async function openTarget(target: Target, signal: AbortSignal): Promise<RedisClient> {
  const { address, settings } = target
  const tls = address.isTls ? await loadTls(settings.tls) : {}
  const client = await RedisClient.open({ address, tls, timeoutMs: settings.timeoutMs, signal })
  try {
    const { user, password } = findLogin(target)
    if (password !== '') refuse(errorOf(await client.call('AUTH', ...(user === '' ? [password] : [user, password]))))
    if (address.database !== 0) refuse(errorOf(await client.call('SELECT', String(address.database))))
  } catch (error) {
    client.close()
    throw error
  }
  return client
}

/** Opens another node of the target's cluster; a password file names one node, and what opened that one opens the others. */
export function openNode(target: Target, hostAndPort: string, signal: AbortSignal): Promise<RedisClient> {
  const scheme = target.address.isTls ? 'rediss' : 'redis'
  const { user, password } = findLogin(target)
  const address = { ...parseRedisAddress(`${scheme}://${hostAndPort}`), username: user, password }
  return openTarget({ ...target, address }, signal)
}

/** The arguments of AUTH, an empty password if there is nothing to say. The URL beats the password file, which beats the flags. */
function findLogin({ address, settings, passwords }: Target): { readonly user: string; readonly password: string } {
  const user = address.username === '' ? settings.user : address.username
  const password = address.password || findPassword(passwords, address.text, user) || settings.password
  // redis://secret@host: a lone word is the password.
  return password === '' && address.username !== '' ? { user: '', password: address.username } : { user, password }
}

function refuse(error: string | undefined): void {
  if (error !== undefined) throw new LoginError(error)
}

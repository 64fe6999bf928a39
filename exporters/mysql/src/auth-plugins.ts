import type { AuthPlugin } from 'mysql2'
import type { Secret } from '@narthex/config/secret'
import { signWithPassword } from './ed25519-login.ts'
import { signWithDerivedKey } from './parsec-login.ts'

const challengeBytes = 32

/** MariaDB's ways to log in that the driver does not know. Each connection has its own, because they take several steps. */
export function createAuthPlugins(password: Secret): Record<string, AuthPlugin> {
  return {
    // A rejection ends the login; an exception would end the program.
    client_ed25519: () => async (data) => Promise.resolve(signWithPassword(password.reveal(), readChallenge(data))),
    parsec: () => {
      let challenge: Buffer | undefined
      return async (data) => {
        if (challenge !== undefined) return signWithDerivedKey(password.reveal(), challenge, data)
        challenge = readChallenge(data)
        // An empty packet asks for the salt of the account.
        return Buffer.alloc(0)
      }
    },
  }
}

// The server may put a zero behind it.
function readChallenge(data: Buffer): Buffer {
  if (data.length < challengeBytes) throw new Error(`cannot log in: want a challenge of ${challengeBytes} bytes, got ${data.length}`)
  return Buffer.from(data.subarray(0, challengeBytes))
}

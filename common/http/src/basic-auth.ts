import type { Secret } from '@narthex/config/secret'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Socket } from 'node:net'
import { loadBcrypt } from './bcrypt-library.ts'

/** Compares a password with a bcrypt hash, off the caller's stack. */
export type PasswordVerifier = (password: string, hash: string) => Promise<boolean>

/** Verdicts remembered; the oldest goes first. */
const verdictsMax = 1_000
/** Comparisons that wait; more are refused, so that guessing passwords cannot pile up work. */
const waitingMax = 64
/** bcrypt reads no more of a password. */
const passwordBytesMax = 72

// Compared when the user does not exist, so that the time of an answer does not tell which users do. A hash of random bytes, cost 10.
const unknownUserHash = '$2b$10$abcdefghijklmnopqrstuuKJm7bB1rmrTHHnvZcYNjTzGGxKuF2hG'

export interface PasswordCheck {
  /** undefined: too many comparisons are waiting. */
  check(user: string, password: string, hash: string | undefined): Promise<boolean | undefined>
}

/**
 * Remembers verdicts under a hash salted by this process, because one bcrypt comparison costs as much as a thousand requests.
 * Comparisons run one after another.
 */
export function createPasswordCheck(verify: PasswordVerifier = (password, hash) => loadBcrypt().compare(password, hash)): PasswordCheck {
  // Loaded here: most exporters ask for no password.
  const { createHash, randomBytes } = process.getBuiltinModule('node:crypto')
  const salt = randomBytes(32)
  const verdicts = new Map<string, boolean>()
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0

  async function compare(key: string, password: string, hash: string): Promise<boolean> {
    const known = verdicts.get(key)
    if (known !== undefined) return known
    const verdict = await verify(password, hash)
    verdicts.set(key, verdict)
    if (verdicts.size > verdictsMax) verdicts.delete(verdicts.keys().next().value!)
    return verdict
  }

  return {
    async check(user, password, hash) {
      if (Buffer.byteLength(password) > passwordBytesMax) return false
      const against = hash ?? unknownUserHash
      const key = createHash('sha256')
        .update(salt)
        .update(JSON.stringify([user, against, password]))
        .digest('base64')
      const known = verdicts.get(key)
      if (known !== undefined) return known && hash !== undefined
      if (waiting >= waitingMax) return undefined
      waiting++
      const turn = last.then(() => compare(key, password, against))
      last = turn.catch(() => undefined)
      try {
        return (await turn) && hash !== undefined
      } finally {
        waiting--
      }
    },
  }
}

/** What a connection was let in with. */
interface Accepted {
  readonly header: string
  readonly user: string
  readonly hash: string
}

/** Whom basic auth lets in. */
export interface AuthGate {
  /** Whether nobody has to say who he is, or the connection was let in with the same header before, and the user still has the same hash. */
  isAccepted(socket: Socket, authorization: string | undefined): boolean
  /** Looks at the password, and remembers whom it lets in; undefined: too many are waiting. */
  judge(socket: Socket, authorization: string | undefined): Promise<boolean | undefined>
}

export function createAuthGate(users: () => Readonly<Record<string, Secret>>, check: PasswordCheck): AuthGate {
  // Whoever sends many requests over one connection says the same each time: as long as the user has the same hash, there is nothing to check.
  const acceptedBy = new WeakMap<Socket, Accepted>()
  return {
    isAccepted(socket, authorization) {
      const known = users()
      if (Object.keys(known).length === 0) return true
      const accepted = acceptedBy.get(socket)
      return accepted !== undefined && accepted.header === authorization && hashOf(known, accepted.user) === accepted.hash
    },
    async judge(socket, authorization) {
      const given = parseBasicAuth(authorization)
      if (given === undefined) return false
      const hash = hashOf(users(), given.user)
      const verdict = await check.check(given.user, given.password, hash)
      if (verdict === true && hash !== undefined && authorization !== undefined) {
        acceptedBy.set(socket, { header: authorization, user: given.user, hash })
      }
      return verdict
    },
  }
}

/** Refuses requests without a valid user, as the exporter toolkit does, while `users` names any. */
export function addBasicAuth(app: FastifyInstance, users: () => Readonly<Record<string, Secret>>, check: PasswordCheck): void {
  const gate = createAuthGate(users, check)
  app.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw
    const { authorization } = request.headers
    if (gate.isAccepted(socket, authorization)) return done()
    gate.judge(socket, authorization).then((verdict) => {
      if (verdict === true) done()
      else if (verdict === undefined) {
        void reply.code(503).header('retry-after', '1').type('text/plain; charset=utf-8').send('Too many logins\n')
      } else void refuse(reply)
    }, done)
  })
}

function hashOf(users: Readonly<Record<string, Secret>>, user: string): string | undefined {
  return Object.hasOwn(users, user) ? users[user]!.reveal() : undefined
}

function refuse(reply: FastifyReply): FastifyReply {
  return reply.code(401).header('www-authenticate', 'Basic').type('text/plain; charset=utf-8').send('Unauthorized\n')
}

function parseBasicAuth(header: string | undefined): { user: string; password: string } | undefined {
  const match = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header ?? '')
  if (match === null) return undefined
  const pair = Buffer.from(match[1]!, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  return colon < 0 ? undefined : { user: pair.slice(0, colon), password: pair.slice(colon + 1) }
}

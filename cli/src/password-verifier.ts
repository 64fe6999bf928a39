import { createWorkerVerifier, passwordWorkerUrl } from '@narthex/http/password-verifier'
import { spawnWorker } from '@narthex/service/worker'

/** Compares passwords with bcrypt hashes in a thread of its own, started at the first login: a comparison takes tens of milliseconds. */
export function createPasswordVerifier() {
  return createWorkerVerifier(() => spawnWorker('password-worker', passwordWorkerUrl))
}

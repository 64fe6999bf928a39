import { parentPort } from 'node:worker_threads'
import { loadBcrypt } from './bcrypt-library.ts'
import type { PasswordAnswer, PasswordQuestion } from './password-verifier.ts'

// Runs in a thread of its own: one bcrypt comparison of cost 10 takes about 100 ms.
parentPort?.on('message', ({ id, password, hash }: PasswordQuestion) => {
  let isRight = false
  try {
    isRight = loadBcrypt().compareSync(password, hash)
  } finally {
    parentPort?.postMessage({ id, isRight } satisfies PasswordAnswer)
  }
})

import bcrypt from 'bcryptjs'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { createWorkerVerifier, passwordWorkerUrl } from './password-verifier.ts'

it('compares in a thread and leaves this one free', async () => {
  const verify = createWorkerVerifier(() => new Worker(passwordWorkerUrl))
  const hash = bcrypt.hashSync('secret', 4)
  expect(await Promise.all([verify('secret', hash), verify('wrong', hash), verify('secret', 'no hash')])).toEqual([true, false, false])
  // Processor time of this thread: what other threads and a busy machine take does not count.
  const beforeHash = process.threadCpuUsage()
  const slow = bcrypt.hashSync('secret', 11)
  const hashUs = process.threadCpuUsage(beforeHash).user
  const before = process.threadCpuUsage()
  expect(await verify('secret', slow)).toBe(true)
  expect(process.threadCpuUsage(before).user).toBeLessThan(hashUs / 3)
})

it('fails the waiting comparisons when the thread dies, and starts another', async () => {
  const started: Worker[] = []
  const verify = createWorkerVerifier(() => {
    const worker = new Worker(passwordWorkerUrl)
    started.push(worker)
    return worker
  })
  const failing = verify('secret', bcrypt.hashSync('secret', 12))
  void started[0]!.terminate()
  await expect(failing).rejects.toThrow('thread ended')
  expect(await verify('secret', bcrypt.hashSync('secret', 4))).toBe(true)
})

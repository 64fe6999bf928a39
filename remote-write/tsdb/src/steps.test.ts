import { MessageChannel } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { finishSteps, takeStepsInTurns, type Steps } from './steps.ts'

const never = new AbortController().signal

test('others get their turn between messages that were all there when the first was waited for', async () => {
  const { port1, port2 } = new MessageChannel()
  let arrive = (): void => {}
  port2.on('message', () => arrive())
  let otherTurns = 0
  let isDone = false
  const countTurns = (): void => {
    otherTurns++
    if (!isDone) setImmediate(countTurns)
  }
  const turnsAtMessage: number[] = []
  function* work(): Steps<number> {
    for (let i = 0; i < 5; i++) {
      yield new Promise<void>((resolve) => (arrive = resolve))
      turnsAtMessage.push(otherTurns)
      // The next one came while this one was worked at.
      port1.postMessage('next')
    }
    return turnsAtMessage.length
  }
  const working = takeStepsInTurns(work(), never)
  port1.postMessage('first')
  setImmediate(countTurns)
  expect(await working).toBe(5)
  isDone = true
  port1.close()
  for (let i = 1; i < turnsAtMessage.length; i++) expect(turnsAtMessage[i]).toBeGreaterThan(turnsAtMessage[i - 1]!)
})

test('an aborted signal ends the work, whose own end is run', async () => {
  const abort = new AbortController()
  let isEnded = false
  function* work(): Steps<void> {
    try {
      for (;;) {
        abort.abort(new Error('enough'))
        yield Promise.resolve()
      }
    } finally {
      isEnded = true
    }
  }
  await expect(takeStepsInTurns(work(), abort.signal)).rejects.toThrow('enough')
  expect(isEnded).toBe(true)
})

test('a step that has to wait cannot be done at once', () => {
  function* work(): Steps<void> {
    yield Promise.resolve()
  }
  expect(() => finishSteps(work())).toThrow('one has to wait')
})

import { createLogger, silentLogger } from '@narthex/service/logger'
import { spawn, type ChildProcess } from 'node:child_process'
import { afterEach, expect, test, vi } from 'vitest'
import { spawnHelperFromSource, StatfsPool, stuckHelpersMax } from './statfs-pool.ts'

// A helper that hangs on paths that begin with /hang until it is told to go on, and answers others with the length of the path.
const fakeHelper = `
  let rest = '', isHanging = false, waiting = []
  process.on('SIGUSR2', () => { isHanging = false; process.stdout.write('1 1 1 1 1 1\\n'); next() })
  function next() {
    while (!isHanging && waiting.length > 0) {
      const path = waiting.shift()
      if (path.startsWith('/hang')) isHanging = true
      else if (path === '/exit') process.exit(3)
      else if (path === '/rubbish') process.stdout.write('what?\\n')
      else process.stdout.write(path.length + ' 10 5 4 100 50\\n')
    }
  }
  process.stdin.setEncoding('latin1').on('data', (chunk) => {
    const lines = (rest + chunk).split('\\n')
    rest = lines.pop()
    waiting.push(...lines.map((line) => JSON.parse(line)))
    next()
  })
`

const children: ChildProcess[] = []
function spawnFake(): ChildProcess {
  const child = spawn(process.execPath, ['-e', fakeHelper], { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  return child
}

let pool: StatfsPool
afterEach(() => {
  vi.useRealTimers()
  pool.close()
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

test('a helper ends when its input ends', async () => {
  pool = new StatfsPool(spawnFake, 1000, silentLogger)
  const child = spawnHelperFromSource()
  child.stdin!.end()
  expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0)
})

const answered = expect.objectContaining({ blocks: 10 })

test('the real helper answers with the numbers of statfs and the code of its error', async () => {
  pool = new StatfsPool(spawnHelperFromSource, 10_000, silentLogger)
  const [root, missing] = await Promise.all([pool.ask('/'), pool.ask('/no/such/place')])
  expect(root).toMatchObject({ blockBytes: expect.any(Number), blocks: expect.any(Number) })
  expect(missing).toEqual({ errorCode: 'ENOENT' })
  expect(pool.helperIds).toHaveLength(1)
})

test('one mount that hangs costs itself; the others are answered by a new helper', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  pool = new StatfsPool(spawnFake, 1500, silentLogger)
  const [first, ...others] = ['/a', '/hang', '/b', '/c'].map((path) => pool.ask(path))
  expect(await first).toEqual(answered)
  await vi.advanceTimersByTimeAsync(1500)
  expect(await Promise.all(others)).toEqual(['timeout', answered, answered])
  expect(pool.helperIds).toHaveLength(2)
  // At once: no time passes.
  expect(await pool.ask('/hang')).toBe('timeout')
})

test('a mount that answers again is asked again, and its old helper ends', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  pool = new StatfsPool(spawnFake, 1500, silentLogger)
  // Its answer tells that the helper runs, and so takes the signal.
  const [first, hung] = ['/a', '/hang'].map((path) => pool.ask(path))
  expect(await first).toEqual(answered)
  await vi.advanceTimersByTimeAsync(1500)
  expect(await hung).toBe('timeout')
  expect(await pool.ask('/hang')).toBe('timeout')
  expect(pool.helperIds).toHaveLength(1)
  children[0]!.kill('SIGUSR2')
  await expect.poll(() => pool.helperIds).toEqual([])
  expect(await pool.ask('/fine')).toEqual(answered)
})

test(`no more than ${stuckHelpersMax} helpers are left hanging`, async () => {
  const silent = (): ChildProcess => {
    const child = spawn('sleep', ['60'], { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    return child
  }
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  pool = new StatfsPool(silent, 50, silentLogger)
  const paths = Array.from({ length: stuckHelpersMax + 3 }, (_, index) => `/hang${index}`)
  const answers = Promise.all(paths.map((path) => pool.ask(path)))
  await vi.advanceTimersByTimeAsync(50 * paths.length)
  expect(await answers).toEqual(paths.map(() => 'timeout'))
  expect(children).toHaveLength(stuckHelpersMax)
  expect(await pool.ask('/fine')).toBe('timeout')
})

test.each(['/exit', '/rubbish'])('a helper that fails on %s is replaced', async (path) => {
  pool = new StatfsPool(spawnFake, 5000, silentLogger)
  const [first] = await Promise.all([pool.ask('/a'), pool.ask(path), pool.ask('/b')])
  expect(first).toEqual(answered)
  expect(await pool.ask('/c')).toEqual(answered)
  expect(children).toHaveLength(2)
})

test('a helper that cannot be started is an error of the mount, and one line in the log', async () => {
  const lines: string[] = []
  const log = createLogger({ write: (line) => void lines.push(line), source: 'test' })
  pool = new StatfsPool(() => spawn('/no/such/program', { stdio: ['pipe', 'pipe', 'ignore'] }), 5000, log)
  for (let i = 0; i < 3; i++) expect(await pool.ask('/a')).toEqual({ errorCode: 'EIO' })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('spawn /no/such/program ENOENT')
})

import { spawnSync } from 'node:child_process'
import { cpSync, createWriteStream, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { UserError } from '@narthex/service/user-error'
import { makeTemporaryDirectory, startProcess, waitFor } from '@narthex/test/kit/process'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { runTsdb } from './tsdb.ts'

// Beside Debian's promtool: the same directories and files, the same lines and exit codes.

const main = join(import.meta.dirname, '..', 'main.ts')
const temporary = makeTemporaryDirectory()
afterAll(() => temporary.remove())
const at = (name: string): string => join(temporary.path, name)

interface Answer {
  readonly status: number | null
  readonly out: readonly string[]
  readonly err: string
}

function run(command: string, args: readonly string[]): Answer {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    cwd: temporary.path,
    maxBuffer: 2 ** 28,
    timeout: 30_000,
  })
  return { status, out: stdout.split('\n').slice(0, -1), err: stderr.trim() }
}

const theirs = (...args: string[]): Answer => run('promtool', ['tsdb', ...args])

/** In this process, which is quicker; `narthex tsdb` as a process of its own is asked where that matters. */
async function ours(...args: string[]): Promise<Answer> {
  let out = ''
  let err = ''
  const keep = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    out += Buffer.from(chunk as Uint8Array).toString()
    const done = rest.at(-1)
    if (typeof done === 'function') (done as () => void)()
    return true
  }
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation(keep)
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    err += chunk.toString()
    return true
  })
  const before = process.cwd()
  process.chdir(temporary.path)
  let status = 0
  try {
    await runTsdb(args)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    status = error.exitCode
    err += error.message
  } finally {
    process.chdir(before)
    stdout.mockRestore()
    stderr.mockRestore()
  }
  return { status, out: out.split('\n').slice(0, -1), err: err.trim() }
}

/** Some hours of some series, with all kinds of values and texts. */
function writeHistory(path: string): void {
  const lines = ['# HELP m some help', '# TYPE m gauge']
  const values = ['NaN', '+Inf', '-Inf', '-0', '1e-7', '123456789', '0.1', '-12.5', '1e300']
  for (let i = 0; i < 200; i++) {
    const seconds = 1_700_000_000 + i * 100
    for (const x of ['a', 'b"\\\\', 'é\\n'])
      lines.push(`m{x="${x.replaceAll('"', '\\"')}",host="h${i % 7}"} ${values[i % values.length]!} ${seconds}.125`)
    lines.push(`total ${i} ${seconds}`)
  }
  writeFileSync(path, `${lines.join('\n')}\n# EOF\n`)
}

beforeAll(async () => {
  writeHistory(at('history.om'))
  for (const answer of [
    theirs('create-blocks-from', 'openmetrics', 'history.om', 'theirs'),
    await ours('create-blocks-from', 'openmetrics', 'history.om', 'ours'),
  ]) {
    expect(answer.err).toBe('')
    expect(answer.status).toBe(0)
  }
  mkdirSync(at('theirs/wal'))
  mkdirSync(at('ours/wal'))
  mkdirSync(at('empty/wal'), { recursive: true })
})

/** Ours has the name of version 3 for one line, and items that count the same stand in the order of their names: theirs in any. */
function normalizeAnalysis(lines: readonly string[]): string[][] {
  // One of the values ends with a newline.
  const text = lines.join('\n').replaceAll('é\n', 'é').replace('Total Series: ', 'Series: ')
  return text
    .split('\n\n')
    .map((section) => (section.startsWith('Block') || section.startsWith('Compaction') ? [section] : section.trim().split('\n').sort()))
}

describe('the same directory gives the same', () => {
  test.each([['theirs'], ['ours'], ['empty']])('list and dump of %s', async (name) => {
    expect(await ours('list', name)).toEqual(theirs('list', name))
    expect(await ours('list', '-r', name)).toEqual(theirs('list', '-r', name))
    expect(await ours('dump', name)).toEqual(theirs('dump', name))
  })

  test('series alone, as JSON: those of promtool, each once', async () => {
    const selector = '--match={x!="é\\n"}'
    const { out } = theirs('dump', selector, 'theirs')
    const texts = new Set(out.map((line) => line.slice(0, line.lastIndexOf('} ') + 1)))
    expect(texts.size).toBeGreaterThan(10)
    // `{a="b", c="d"}` → `{"a":"b","c":"d"}`
    const wanted = [...texts].map((text) => text.replaceAll(/([{ ])([a-z_]+)="/g, '$1"$2":"').replaceAll('", "', '","'))
    expect(await ours('dump', '--format=seriesjson', selector, 'theirs')).toEqual({ status: 0, out: wanted, err: '' })
    expect((await ours('dump', '--format=seriesjson', '--max-time=0', 'theirs')).out).toEqual([])
  })

  test.each([['theirs'], ['ours']])('analysis of %s, all figures', async (name) => {
    const [first] = readdirSync(at(name)).sort()
    for (const args of [
      ['--limit=1000', '--extended', name],
      ['--limit=1000', name, first!],
    ]) {
      const mine = await ours('analyze', ...args)
      const other = theirs('analyze', ...args)
      expect(normalizeAnalysis(mine.out)).toEqual(normalizeAnalysis(other.out))
      expect(mine.status).toBe(other.status)
    }
    // Which of the items that count the same come first is chance with promtool.
    const sizes = (answer: Answer) => answer.out.map((line) => line.replace(/ .*/, ''))
    expect(sizes(await ours('analyze', '--limit=1', name)).length).toBe(sizes(theirs('analyze', '--limit=1', name)).length)
  })

  test('dump with times and a selector', async () => {
    const flags = ['--min-time=1700005000125', '--max-time=1700009000000', '--match={x=~"a|b.*"}']
    const answer = await ours('dump', ...flags, 'theirs')
    expect(answer).toEqual(theirs('dump', ...flags, 'theirs'))
    expect(answer.out.length).toBeGreaterThan(50)
    expect(await ours('dump', '--sandbox-dir-root=/nowhere', ...flags, 'theirs')).toEqual(answer)
  })
})

test('blocks of both have the same samples, in the same chunks', async () => {
  const columns = (lines: readonly string[]) => lines.map((line) => line.split(/ {2,}/).slice(1, 7))
  expect(columns((await ours('list', 'ours')).out)).toEqual(columns(theirs('list', 'theirs').out))
  expect(theirs('dump', 'ours')).toEqual(theirs('dump', 'theirs'))
})

test('what create-blocks-from prints of its blocks is what list prints', async () => {
  const longer = await ours('create-blocks-from', '--max-block-duration=18h', 'openmetrics', 'history.om', 'longer')
  expect(longer.out).toEqual((await ours('list', 'longer')).out)
  const range = (lines: readonly string[]) => lines.map((line) => line.split(/ {2,}/)[3])
  const other = theirs('create-blocks-from', '--max-block-duration=18h', 'openmetrics', 'history.om', 'longer-theirs')
  expect(range(longer.out)).toEqual(range(other.out))
  expect((await ours('create-blocks-from', '-q', 'openmetrics', 'history.om', 'quiet')).out).toEqual([])
})

test('dump-openmetrics writes what promtool reads, and its blocks have the same samples', async () => {
  const { out, status } = await ours('dump-openmetrics', 'theirs')
  expect(status).toBe(0)
  writeFileSync(at('dumped.om'), `${out.join('\n')}\n`)
  expect(theirs('create-blocks-from', 'openmetrics', 'dumped.om', 'again').status).toBe(0)
  mkdirSync(at('again/wal'))
  expect(theirs('dump', 'again')).toEqual(theirs('dump', 'theirs'))
})

describe('the same mistake gives the same verdict', () => {
  /** Ours says where, and what was read, as version 3 does. */
  const withoutPlace = ({ status, err }: Answer) => ({
    status,
    err: err.replace(/( while parsing: .*)? \(line \d+\)$/, '').replace(/(sample for timestamp|order sample).*/, '$1'),
  })

  test.each([
    ['list', 'none'],
    ['analyze', 'none'],
    ['dump', 'none'],
    ['dump'],
    ['analyze', 'empty'],
    ['analyze', 'theirs', '01M8GXBXX1KX21J2M865XR4EGA'],
    ['dump', '--match=a{', 'theirs'],
    ['create-blocks-from', 'openmetrics', 'history.om', 'history.om'],
  ])('%s %s %s', async (...args) => {
    const answer = await ours(...args)
    expect(withoutPlace(answer)).toEqual(withoutPlace(theirs(...args)))
    expect(answer.status).toBe(1)
  })

  const many = Array.from({ length: 5000 }, (_, i) => `b ${i} ${1000 + i}\n`).join('')
  test.each([
    ['no timestamp', 'a{b="c"} 1 1\na 1\n# EOF\n'],
    ['no end', 'a 1 1\n'],
    ['text behind the end', 'a 1 1\n# EOF\nb 1 2\n'],
    ['a time that is none', 'a 1 x\n# EOF\n'],
    ['a value that is none', 'a x 1\n# EOF\n'],
    ['a label twice', 'a{a="1",a="2"} 1 1\n# EOF\n'],
    ['an order that is wrong', `a 1 7000\n${many}a 1 6000\n# EOF\n`],
    ['a time twice', `a 1 7000\n${many}a 2 7000\n# EOF\n`],
  ])('create-blocks-from with %s', async (_name, text) => {
    writeFileSync(at('wrong.om'), text)
    const answer = await ours('create-blocks-from', 'openmetrics', 'wrong.om', 'wrong')
    expect(answer.status).toBe(1)
    expect(withoutPlace(answer)).toEqual(withoutPlace(theirs('create-blocks-from', 'openmetrics', 'wrong.om', 'wrong-theirs')))
  })
})

test('the program as such does it, ends with the code, and is ended by a reader that has gone', () => {
  const asProcess = (...args: string[]): Answer => run(process.execPath, [main, 'tsdb', ...args])
  expect(asProcess('dump', 'theirs')).toEqual(theirs('dump', 'theirs'))
  expect(asProcess('list', 'none')).toEqual(theirs('list', 'none'))
  const piped = spawnSync('sh', ['-c', '"$0" "$1" tsdb dump theirs | head -n 1', process.execPath, main], {
    encoding: 'utf8',
    cwd: temporary.path,
  })
  expect(piped.stdout.split('\n').slice(0, -1)).toEqual(theirs('dump', 'theirs').out.slice(0, 1))
  expect(piped.stderr).toBe('')
})

test('a signal ends an import at once, and the next one is not disturbed by what it left', async () => {
  writeFileSync(
    at('signal.om'),
    `${Array.from({ length: 500_000 }, (_, i) => `a{i="${i % 1000}"} 1 ${Math.floor(i / 1000)}\n`).join('')}# EOF\n`,
  )
  const { child, exited } = startProcess(process.execPath, [main, 'tsdb', 'create-blocks-from', 'openmetrics', 'signal.om', 'signal'], {
    cwd: temporary.path,
  })
  // The directory is made before the file is read.
  await waitFor('the directory', () => existsSync(at('signal')))
  child.kill('SIGTERM')
  expect(await exited).toBe('SIGTERM')
  const { status, out } = await ours('create-blocks-from', 'openmetrics', 'signal.om', 'signal')
  expect([status, out.length]).toEqual([0, 2])
  expect((await ours('list', 'signal')).out).toEqual(out)
})

describe('memory', () => {
  const lines = Number(process.env['NARTHEX_HISTORY_LINES'] ?? 200_000)
  const series = 500

  async function writeLong(path: string, count: number): Promise<void> {
    const file = createWriteStream(path)
    let text = '# TYPE m gauge\n'
    for (let i = 0; i < count; i++) {
      text += `m{i="${i % series}",instance="host-${i % 50}:9100"} ${i} ${1_700_006_400 + Math.floor(i / series) * 15}\n`
      if (text.length < 2 ** 20) continue
      if (!file.write(text)) await once(file, 'drain')
      text = ''
    }
    file.end(`${text}# EOF\n`)
    await once(file, 'close')
  }

  /** Peak of the resident memory in MB. */
  function measure(...args: string[]): number {
    const preload = at('preload.cjs')
    writeFileSync(preload, "process.on('exit', () => process._rawDebug('rss ' + process.resourceUsage().maxRSS))")
    const { status, stderr } = spawnSync(process.execPath, ['--require', preload, main, 'tsdb', ...args], {
      cwd: temporary.path,
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    expect(status).toBe(0)
    return Number(/rss (\d+)/.exec(stderr)![1]) / 1024
  }

  test('of import and dump does not grow with the file', async () => {
    await writeLong(at('short.om'), lines / 4)
    await writeLong(at('long.om'), lines)
    const short = measure('create-blocks-from', '-q', 'openmetrics', 'short.om', 'short')
    const long = measure('create-blocks-from', '-q', 'openmetrics', 'long.om', 'long')
    cpSync(at('empty/wal'), at('long/wal'), { recursive: true })
    const dumps = [measure('dump', 'short'), measure('dump', 'long')] as const
    // A file of the full size has 100 bytes a line: a fraction of it would show.
    const allowed = 60 + lines * 5e-6
    expect(long - short, `import: ${short} and ${long} MB`).toBeLessThan(allowed)
    expect(dumps[1] - dumps[0], `dump: ${dumps.join(' and ')} MB`).toBeLessThan(allowed + 60)
  })
})

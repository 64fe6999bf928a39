import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { afterAll, describe, expect, test } from 'vitest'
import { writeText } from './tsdb-output.ts'
import { everySeries, parseSelectors } from './tsdb-selectors.ts'
import { runTsdb } from './tsdb.ts'

// What stands beside promtool is in tsdb.service.test.ts.

const directory = makeTemporaryDirectory()
afterAll(() => directory.remove())

describe('narthex tsdb', () => {
  test.each([
    [[], 'narthex tsdb: want one of list, analyze, dump, dump-openmetrics, create-blocks-from, bench, got nothing'],
    [['foo'], 'narthex tsdb: want one of list, analyze, dump, dump-openmetrics, create-blocks-from, bench, got foo'],
    [['bench', 'read'], 'narthex tsdb bench: want write, got read'],
    [['bench', 'write', `--out=${directory.path}/bench`, 'nowhere.json'], 'open nowhere.json: no such file or directory'],
    [['create-blocks-from', 'csv'], 'narthex tsdb create-blocks-from: want openmetrics or rules, got "csv"'],
    [['create-blocks-from', 'openmetrics', '--label=a', 'b'], /error: expected KEY=VALUE got "a", try --help/],
    [['dump', '--min-time=x'], /invalid value for flag --min-time: strconv.ParseInt: parsing "x": invalid syntax, try --help/],
    [['dump', '--min-time=9223372036854775808'], /value out of range/],
    [['dump', '--format=csv'], /format/],
    [['dump', '--match=a{', directory.path], '1:3: parse error: unexpected end of input inside braces'],
    [['analyze', '--match=a offset 5m', directory.path], /unexpected <offset>/],
    [['list', 'a', 'b'], /unexpected b, try --help/],
  ])('%j ends with one line and code 1', async (argv, text) => {
    const error = await runTsdb(argv).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UserError)
    expect((error as UserError).exitCode).toBe(1)
    if (typeof text === 'string') expect((error as UserError).message).toBe(text)
    else expect((error as UserError).message).toMatch(text)
  })

  test('a directory where a block is damaged names the block and the file', async () => {
    const ulid = '01M8GXBXW4HGSKRBEEPCNDEC7W'
    mkdirSync(join(directory.path, 'damaged', ulid), { recursive: true })
    writeFileSync(join(directory.path, 'damaged', ulid, 'meta.json'), '{')
    await expect(runTsdb(['list', join(directory.path, 'damaged')])).rejects.toThrow(new RegExp(`^corrupted block ${ulid}: .*meta\\.json`))
  })

  test('help shows the defaults of promtool', async () => {
    const help = await runTsdb(['dump', '--help']).catch((reason: unknown) => reason)
    expect(help).toBeInstanceOf(PrintAndExit)
    for (const text of ['-9223372036854775808', '9223372036854775807', everySeries]) expect((help as PrintAndExit).text).toContain(text)
  })
})

test('a selector may match everything, and the default does', () => {
  expect(parseSelectors([everySeries, '{a=~".*"}', 'up']).map((matchers) => matchers.map(String))).toEqual([
    ['__name__=~"(?s:.*)"'],
    ['a=~".*"'],
    ['__name__="up"'],
  ])
})

describe('output', () => {
  test('waits for a slow reader, so that no more than one piece is held', async () => {
    let held = 0
    let heldMax = 0
    const slow = new Writable({
      highWaterMark: 1,
      write(_chunk, _encoding, done) {
        setImmediate(() => {
          held--
          done()
        })
      },
    })
    function* pieces(): Generator<string> {
      for (let i = 0; i < 50; i++) {
        heldMax = Math.max(heldMax, ++held)
        yield 'piece'
      }
    }
    await writeText(pieces(), slow)
    expect(heldMax).toBe(1)
  })

  test('ends without a word when the reader has gone, and with the reason otherwise', async () => {
    const failing = (code: string): Writable =>
      new Writable({
        highWaterMark: 1,
        write: (_chunk, _encoding, done) => setImmediate(() => done(Object.assign(new Error(code), { code }))),
      })
    await expect(writeText(['a', 'b'], failing('EPIPE'))).rejects.toThrow(PrintAndExit)
    await expect(writeText(['a', 'b'], failing('ENOSPC'))).rejects.toThrow('ENOSPC')
  })
})

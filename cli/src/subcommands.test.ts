import { flag } from '@narthex/service/flag-spec'
import { PrintAndExit } from '@narthex/service/user-error'
import { describe, expect, test } from 'vitest'
import { runSubcommand, type CommandGroup } from './subcommands.ts'

const group: CommandGroup<string[]> = {
  name: 'narthex fetch',
  help: 'Fetches.',
  flags: [flag.choice('format', 'Format.', ['json', 'text'], 'text', { short: 'o' }), flag.boolean('extended', 'More.')],
  notBuilt: ['later'],
  subcommands: {
    one: { help: 'Fetch one.', run: (argv, got) => void got.push('one', ...argv) },
    many: { help: 'Fetch many.', run: (argv, got) => void got.push('many', ...argv) },
  },
}

async function run(...argv: string[]): Promise<string[]> {
  const got: string[] = []
  await runSubcommand(group, argv, got)
  return got
}

describe('a subcommand', () => {
  test.each([
    [['one'], ['one']],
    [
      ['many', '-x', 'one', '--', 'two'],
      ['many', '-x', 'one', '--', 'two'],
    ],
    [
      ['--format', 'json', 'one', 'a'],
      ['one', '--format', 'json', 'a'],
    ],
    [
      ['-o', 'many', 'one', 'a'],
      ['one', '-o', 'many', 'a'],
    ],
    [
      ['-ojson', '--extended', '--no-extended', 'one', 'a'],
      ['one', '--format=json', '--extended', '--no-extended', 'a'],
    ],
    [
      ['--enable-feature=a', '--experimental', 'one'],
      ['one', '--enable-feature=a', '--experimental'],
    ],
  ])('gets the flags in front of it and what stands behind: %j', async (argv, wanted) => {
    expect(await run(...argv)).toEqual(wanted)
  })

  test.each([
    [[], 'narthex fetch: want one of one, many, got nothing'],
    [['all'], 'narthex fetch: want one of one, many, got all'],
    [['toString'], 'narthex fetch: want one of one, many, got toString'],
    [['later'], 'narthex fetch: later is not built yet'],
    [['--extended'], 'narthex fetch: want one of one, many, got nothing'],
    [['--lint=none', 'one'], "narthex fetch: error: unknown long flag '--lint', try --help"],
    [['-x', 'one'], "narthex fetch: error: unknown short flag '-x', try --help"],
    [['--format'], "narthex fetch: error: expected argument for flag '--format', try --help"],
  ])('is refused with one line: %j', async (argv, text) => {
    await expect(run(...argv)).rejects.toThrow(expect.objectContaining({ name: 'UserError', message: text, exitCode: 1 }))
  })

  test('is listed by --help, and not asked for it when that stands behind', async () => {
    for (const word of ['--help', '-h']) {
      await expect(run('--extended', word)).rejects.toThrow(
        expect.objectContaining({
          text: expect.stringMatching(
            /^usage: narthex fetch \[--format=FORMAT\] \[--extended\] <command>[^]*\n {2}many +Fetch many\.\n/,
          ) as string,
        }),
      )
    }
    await expect(run('--version')).rejects.toThrow(PrintAndExit)
    expect(await run('one', '--help')).toEqual(['one', '--help'])
  })
})

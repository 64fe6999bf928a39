import { describe, expect, it, test } from 'vitest'
import { flag } from './flag-spec.ts'
import { parseFlags as parseByLibrary, type FlagSpecs, type Program } from './flags.ts'
import { parseFlags as parsePlainly } from './plain-flags.ts'
import { PrintAndExit, UserError } from './user-error.ts'

const flags = {
  configFile: flag.text('config.file', 'Configuration file path.', 'prometheus.yml'),
  lifecycle: flag.boolean('web.enable-lifecycle', 'Enable shutdown and reload via HTTP request.'),
  compression: flag.boolean('storage.tsdb.wal-compression', 'Compress the WAL.', { default: true }),
  listen: flag.list('web.listen-address', 'Address to listen on.', { default: ['0.0.0.0:9090'] }),
  timeoutMs: flag.durationMs('query.timeout', 'Maximum time of a query.', '2m'),
  concurrency: flag.integer('query.max-concurrency', 'Queries at once.', 20),
  sizeBytes: flag.optionalBytes('storage.tsdb.retention.size', 'Bytes of blocks.'),
  level: flag.choice('log.level', 'Only log messages with the given severity or above.', ['debug', 'info', 'warn', 'error'], 'info'),
  addr: flag.string('redis.addr', 'Address of redis.', { env: 'REDIS_ADDR', group: 'Redis flags:' }),
  file: flag.string('file', 'A file.', { short: 'f' }),
}

const program: Program<typeof flags> = {
  name: 'prometheus',
  help: 'The Prometheus monitoring server',
  version: 'prometheus, version 1',
  flags,
  exitCodes: { value: 2 },
}

describe.each([
  ['by the library', parseByLibrary],
  ['without it', parsePlainly],
])('flags read %s', (_way, parseFlags) => {
  const parse = (...argv: string[]) => parseFlags(program, argv, {})

  function failure(argv: string[], other: Partial<Program<typeof flags>> = {}): { message: string; exitCode: number } {
    try {
      parseFlags({ ...program, ...other }, argv, {})
    } catch (error) {
      if (error instanceof UserError) return { message: error.message, exitCode: error.exitCode }
      throw error
    }
    return expect.fail('no error')
  }

  it('have their defaults', () => {
    expect(parse().values).toEqual({
      configFile: 'prometheus.yml',
      lifecycle: false,
      compression: true,
      listen: ['0.0.0.0:9090'],
      timeoutMs: 120_000,
      concurrency: 20,
      sizeBytes: undefined,
      level: 'info',
      addr: undefined,
      file: undefined,
    })
  })

  it('are read with = and with a space, repeated, negated, as durations and sizes', () => {
    const argv = [
      '--config.file',
      'a.yml',
      '--web.listen-address=:1',
      '--web.listen-address',
      ':2',
      '--web.enable-lifecycle',
      '--no-storage.tsdb.wal-compression',
    ]
    const more = [
      '--query.timeout=1h30m',
      '--storage.tsdb.retention.size=512MB',
      '--log.level=debug',
      '--query.max-concurrency=7',
      '-f',
      'x',
    ]
    const { values, given } = parse(...argv, ...more)
    expect(values).toMatchObject({
      configFile: 'a.yml',
      listen: [':1', ':2'],
      lifecycle: true,
      compression: false,
      timeoutMs: 5_400_000,
      sizeBytes: 512 * 2 ** 20,
      level: 'debug',
      concurrency: 7,
      file: 'x',
    })
    expect(given.has('config.file') && !given.has('redis.addr')).toBe(true)
  })

  it('of which a value can be left out stand for their first one', () => {
    const explain = flag.optionalChoice('explain', 'Explain the query.', ['plan', 'analyze'])
    const described = { name: 'narthex query', help: 'Asks.', version: '1', flags: { explain }, arguments: [{ name: 'expr', help: '' }] }
    const read = (...argv: string[]) => {
      const { values, arguments: rest } = parseFlags(described, argv, {})
      return [values.explain, ...rest]
    }
    expect(read('up')).toEqual([undefined, 'up'])
    expect(read('--explain', 'up')).toEqual(['plan', 'up'])
    expect(read('--explain=analyze', 'up')).toEqual(['analyze', 'up'])
    expect(() => read('--explain=all', 'up')).toThrow("enum value must be one of plan,analyze, got 'all'")
    expect(() => parseFlags(described, ['--help'], {})).toThrow(
      expect.objectContaining({ text: expect.stringContaining('--explain[=plan|analyze]') as string }),
    )
  })

  it('keep a value that looks like a number, a negative one, or is empty', () => {
    expect(parse('--config.file=007').values.configFile).toBe('007')
    expect(parse('--query.max-concurrency=-1').values.concurrency).toBe(-1)
    expect(parse('--config.file=').values.configFile).toBe('')
  })

  it('have a short form with the value in the same word, and several that have none in one', () => {
    const described: Program<FlagSpecs> = {
      name: 'promtool',
      help: '',
      version: '1',
      flags: {
        type: flag.string('type', 'A type.', { short: 't' }),
        isHuman: flag.boolean('human', 'For people.', { short: 'r' }),
        isQuiet: flag.boolean('quiet', 'Quietly.', { short: 'q' }),
      },
      arguments: [{ name: 'words', help: '', isRepeatable: true, isOptional: true }],
    }
    const read = (...argv: string[]) => parseFlags(described, argv, {})
    expect(read('-t=~').values['type']).toBe('=~')
    expect(read('-t=').values['type']).toBe('=')
    expect(read('-tx', 'y')).toMatchObject({ values: { type: 'x' }, arguments: ['y'] })
    expect(read('-t', 'x').values['type']).toBe('x')
    expect(read('-rq').values).toEqual({ type: undefined, isHuman: true, isQuiet: true })
    expect(read('-qrt!~').values).toEqual({ type: '!~', isHuman: true, isQuiet: true })
    expect(read('--', '-rq').arguments).toEqual(['-rq'])
    expect(() => read('-rx')).toThrow("unknown short flag '-x'")
  })

  it('take the environment when the command line is silent', () => {
    expect(parseFlags(program, [], { REDIS_ADDR: 'r:1' }).values.addr).toBe('r:1')
    expect(parseFlags(program, ['--redis.addr=x'], { REDIS_ADDR: 'r:1' }).values.addr).toBe('x')
  })

  it('accept Go`s single dash where the original does', () => {
    const single = { ...program, acceptsSingleDash: true }
    expect(parseFlags(single, ['-config.file=a', '-web.enable-lifecycle', '-redis.addr', 'b'], {}).values).toMatchObject({
      configFile: 'a',
      lifecycle: true,
      addr: 'b',
    })
    expect(parseFlags(single, ['-web.enable-lifecycle=false'], {}).values.lifecycle).toBe(false)
  })

  it.each([
    [['--foo'], "unknown long flag '--foo'", 1],
    [['--foo=bar'], "unknown long flag '--foo'", 1],
    [['-x'], "unknown short flag '-x'", 1],
    [['-config.file=a'], "unknown short flag '-c'", 1],
    [['--no-config.file'], "unknown long flag '--no-config.file'", 1],
    [['--config.file'], "expected argument for flag '--config.file'", 1],
    [['--config.file', '--web.enable-lifecycle'], "expected argument for flag '--config.file'", 1],
    [['xx'], 'unexpected xx', 1],
    [['--config.file=a', '--config.file=b'], "flag 'config.file' cannot be repeated", 2],
    [['--query.timeout=xx'], 'not a valid duration string: "xx"', 2],
    [['--log.level=loud'], "enum value must be one of debug,info,warn,error, got 'loud'", 2],
    [['--query.max-concurrency=1.5'], 'strconv.ParseInt: parsing "1.5": invalid syntax', 2],
  ])('%j is refused', (argv, text, exitCode) => {
    const error = failure(argv)
    expect(error.message).toContain(text)
    expect(error.message).toMatch(/^prometheus: error: .*, try --help$/)
    expect(error.exitCode).toBe(exitCode)
  })

  it('takes positional arguments where the program has some', () => {
    const arguments_ = [{ name: 'files', help: 'Files.', isRepeatable: true }]
    expect(parseFlags({ ...program, arguments: arguments_ }, ['a', '--log.level=warn', 'b'], {}).arguments).toEqual(['a', 'b'])
    expect(failure([], { arguments: arguments_ }).message).toContain("required argument 'files' not provided")
  })

  it('prints help with groups, and the version', () => {
    const print = (argument: string): string => {
      try {
        parse(argument)
      } catch (error) {
        if (error instanceof PrintAndExit) return error.text
      }
      return expect.fail('nothing printed')
    }
    const help = print('--help')
    expect(print('-h')).toBe(help)
    expect(help).toMatch(/^usage: prometheus \[<flags>\]\n\nThe Prometheus monitoring server\n\nFlags:\n/)
    expect(help).toContain('      --config.file="prometheus.yml"')
    expect(help).toContain('      --[no-]web.enable-lifecycle')
    expect(help).toContain('\nRedis flags:\n      --redis.addr=REDIS.ADDR')
    expect(help.split('\n').every((line) => line.length <= 80)).toBe(true)
    expect(print('--version')).toBe('prometheus, version 1\n')
  })
})

test('both ways read every command line alike', () => {
  const program_: Program<typeof flags> = { ...program, arguments: [{ name: 'words', help: '', isRepeatable: true, isOptional: true }] }
  const words = [
    ...['--config.file', '--config.file=', '--config.file=a=b', '-config.file=x', '--no-config.file', '-f', '-f=y', '-f=', '--file', '-fx'],
    ...[
      '--web.enable-lifecycle',
      '--no-web.enable-lifecycle',
      '--web.enable-lifecycle=false',
      '--web.enable-lifecycle=',
      '-web.enable-lifecycle',
    ],
    ...[
      '--no-web.enable-lifecycle=true',
      '--web.enable-lifecycle=maybe',
      '--storage.tsdb.wal-compression',
      '--no-storage.tsdb.wal-compression',
    ],
    ...[
      '--web.listen-address=:1',
      '--web.listen-address',
      ':2',
      '--web.listen-address=',
      '--query.timeout=1m',
      '--query.timeout',
      '--query.max-concurrency=-3',
    ],
    ...[
      '--log.level=debug',
      '--redis.addr',
      '--redis.addr=a,b',
      '--redis.addr= c ',
      'word',
      'true',
      'false',
      '0',
      '1e3',
      '',
      '-',
      '--',
      '-1',
      '--x',
      '-x',
      '---',
      '=',
      '--=',
    ],
    ...[
      '--help',
      '-h',
      '--version',
      '--no-help',
      '--no-version',
      '--help=false',
      '--=',
      '=',
      '__proto__',
      '--__proto__=1',
      '--constructor',
      '"quoted"',
      "'a'",
      '--config.file="q"',
      '[]',
      'a.b=c',
    ],
  ]
  const outcome = (parseFlags: typeof parsePlainly, argv: readonly string[], acceptsSingleDash: boolean): string => {
    try {
      const { given, ...rest } = parseFlags({ ...program_, acceptsSingleDash }, argv, { REDIS_ADDR: 'from env' })
      return JSON.stringify({ ...rest, given: [...given] })
    } catch (error) {
      if (error instanceof UserError) return `${error.exitCode} ${error.message}`
      return error instanceof PrintAndExit ? error.text : `a bug: ${String(error)}`
    }
  }
  let seed = 5
  const random = (below: number): number => (seed = (seed * 48271) % 0x7fffffff) % below
  let read = 0
  for (let round = 0; round < 5_000; round++) {
    const argv = Array.from({ length: random(5) }, () => words[random(words.length)]!)
    const plain = outcome(parsePlainly, argv, round % 2 === 0)
    if (plain.startsWith('{')) read++
    expect(plain, JSON.stringify(argv)).toBe(outcome(parseByLibrary, argv, round % 2 === 0))
  }
  expect(read).toBeGreaterThan(500)
})

/** How much a logger prints: a level prints itself and everything graver. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFormat = 'logfmt' | 'json'
export type LogFields = Readonly<Record<string, unknown>>

/** What every part logs through. Fields are printed in the order given; `undefined` ones are left out; secrets print as `<secret>`. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that prints these fields on every line, after the message. */
  with(fields: LogFields): Logger
}

export interface LoggerOptions {
  readonly level?: LogLevel
  readonly format?: LogFormat
  /** Takes one whole line with its newline; default: standard error. */
  readonly write?: (line: string) => void
  readonly now?: () => number
  /** Fixed text of `source=`; default: file and line of the call. */
  readonly source?: string
}

/** Bounds of one line in UTF-16 units: what is longer is cut and ends in `…`. */
export const lineLengthMax = 16_384
export const valueLengthMax = 4_096

const severity: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }
const levelText: Readonly<Record<LogLevel, string>> = { debug: 'DEBUG', info: 'INFO', warn: 'WARN', error: 'ERROR' }

/** Lines have the shape of Go's slog as Prometheus 3 prints it: `time=… level=INFO source=main.ts:12 msg="…" key=value`. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const write = options.write ?? writeToStandardError
  const now = options.now ?? Date.now
  const threshold = severity[options.level ?? 'info']
  const printLine = options.format === 'json' ? printJsonLine : printTextLine

  function bind(bound: readonly (readonly [string, unknown])[]): Logger {
    function log(level: LogLevel, message: string, fields: LogFields | undefined): void {
      if (severity[level] < threshold) return
      const pairs: (readonly [string, unknown])[] = [
        ['time', new Date(now()).toISOString()],
        ['level', levelText[level]],
        ['source', options.source ?? findCaller()],
        ['msg', message],
        ...bound,
      ]
      if (fields !== undefined) pairs.push(...Object.entries(fields))
      write(printLine(pairs) + '\n')
    }
    return {
      debug: (message, fields) => log('debug', message, fields),
      info: (message, fields) => log('info', message, fields),
      warn: (message, fields) => log('warn', message, fields),
      error: (message, fields) => log('error', message, fields),
      with: (fields) => bind([...bound, ...Object.entries(fields)]),
    }
  }
  return bind([])
}

/** A logger that prints nothing. */
export const silentLogger: Logger = createLogger({ write: () => {}, source: '' })

function printTextLine(pairs: readonly (readonly [string, unknown])[]): string {
  let line = ''
  for (const [key, value] of pairs) {
    if (value === undefined) continue
    line += `${line === '' ? '' : ' '}${quoteIfNeeded(key)}=${quoteIfNeeded(cut(printValue(value), valueLengthMax))}`
  }
  return cut(line, lineLengthMax)
}

function printJsonLine(pairs: readonly (readonly [string, unknown])[]): string {
  const record: Record<string, unknown> = {}
  let remaining = lineLengthMax
  for (const [key, value] of pairs) {
    if (value === undefined) continue
    const plain = typeof value === 'number' && Number.isFinite(value) ? value : typeof value === 'boolean' ? value : printValue(value)
    const bounded = typeof plain === 'string' ? cut(plain, Math.min(valueLengthMax, remaining)) : plain
    remaining = Math.max(0, remaining - String(bounded).length)
    record[key] = bounded
  }
  return JSON.stringify(record)
}

function printValue(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Error) return printError(value)
  if (value instanceof Date) return value.toISOString()
  if (value === null || typeof value !== 'object') return String(value)
  // An own toString is how Labels, Secret and the like say what may be shown.
  if (value.toString !== Object.prototype.toString && !Array.isArray(value)) return String(value)
  return JSON.stringify(value) ?? ''
}

function printError(error: Error): string {
  let text = error.message === '' ? error.name : error.message
  let cause = error.cause
  for (let depth = 0; cause instanceof Error && depth < 8; depth++) {
    if (cause.message !== '' && !text.includes(cause.message)) text += `: ${cause.message}`
    cause = cause.cause
  }
  return text
}

const needsQuotes = /[\s"=\\\p{C}]/u

// slog quotes an empty value and one with a space, a quote, an equals sign or a character that does not print.
function quoteIfNeeded(text: string): string {
  return text === '' || needsQuotes.test(text) ? quote(text) : text
}

function quote(text: string): string {
  let quoted = '"'
  for (const character of text) {
    if (character === '"' || character === '\\') quoted += '\\' + character
    else if (character === '\n') quoted += '\\n'
    else if (character === '\t') quoted += '\\t'
    else if (character === '\r') quoted += '\\r'
    else if (/\p{C}/u.test(character)) quoted += `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`
    else quoted += character
  }
  return quoted + '"'
}

function cut(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, Math.max(0, lengthMax - 1))}…`
}

/** `file.ts:12` of the code that called the logger. Costs some microseconds, paid only by lines that are printed. */
function findCaller(): string {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 4
  const stack = new Error('').stack ?? ''
  Error.stackTraceLimit = limit
  // Frames: findCaller, log, the method of the logger, the caller.
  const frame = stack.split('\n')[4] ?? ''
  const place = /([^/\\(): ]+:\d+):\d+\)?$/.exec(frame)
  return place?.[1] ?? 'unknown'
}

function writeToStandardError(line: string): void {
  process.stderr.write(line)
}

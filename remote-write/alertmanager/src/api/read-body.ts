import { parseRfc3339 } from '../rfc3339.ts'
import { schemaError } from './api-answer.ts'

/** A JSON body as it came; `contentType` as in the header, '' if there was none. */
export interface ApiBody {
  readonly text: string
  readonly contentType: string
}

/** The parsed JSON. Throws the schema errors of Alertmanager; `noun` names the body in them. */
export function parseBody(body: ApiBody, noun: string): unknown {
  const mediaType = body.contentType.split(';')[0]!.trim().toLowerCase()
  if (mediaType !== 'application/json') {
    throw schemaError(415, `unsupported media type ${JSON.stringify(body.contentType)}, only [application/json] are allowed`)
  }
  if (body.text.trim() === '') throw schemaError(602, `${noun} in body is required`)
  try {
    return JSON.parse(body.text) as unknown
  } catch (error) {
    throw unreadable(noun, error instanceof Error ? error.message : String(error))
  }
}

export function unreadable(noun: string, reason: string): Error {
  return schemaError(400, `parsing ${noun} body from "" failed, because ${reason}`)
}

/** Reads fields of one JSON object; an absent or null field is undefined, one of another type is the error Go's decoder gives. */
export class BodyReader {
  readonly #fields: Readonly<Record<string, unknown>>
  readonly #noun: string
  readonly #type: string

  /** `noun` names the body, `type` the Go type of the object. */
  constructor(value: unknown, noun: string, type: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw unreadable(noun, `json: cannot unmarshal ${jsonKind(value)} into Go value of type models.${type}`)
    }
    this.#fields = Object.fromEntries(Object.entries(value))
    this.#noun = noun
    this.#type = type
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined && this.#fields[name] !== null
  }

  text(name: string): string | undefined {
    const value = this.#get(name)
    if (value === undefined || typeof value === 'string') return value
    throw this.#mismatch(name, value, 'string')
  }

  flag(name: string): boolean | undefined {
    const value = this.#get(name)
    if (value === undefined || typeof value === 'boolean') return value
    throw this.#mismatch(name, value, 'bool')
  }

  list(name: string): readonly unknown[] | undefined {
    const value = this.#get(name)
    if (value === undefined || Array.isArray(value)) return value
    throw this.#mismatch(name, value, 'models.Matchers')
  }

  texts(name: string): Readonly<Record<string, string>> | undefined {
    const value = this.#get(name)
    if (value === undefined) return undefined
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.#mismatch(name, value, 'models.LabelSet')
    const texts: [string, string][] = []
    for (const [key, text] of Object.entries(value)) {
      if (typeof text !== 'string') throw this.#mismatch(name, text, 'string')
      texts.push([key, text.toWellFormed()])
    }
    return Object.fromEntries(texts)
  }

  /** A time in nanoseconds since the epoch; empty text counts as absent. */
  time(name: string): bigint | undefined {
    const text = this.text(name)
    if (text === undefined || text === '') return undefined
    const timeNs = parseRfc3339(text)
    if (timeNs === undefined) {
      throw unreadable(this.#noun, `parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse it`)
    }
    return timeNs
  }

  #get(name: string): unknown {
    return this.#fields[name] ?? undefined
  }

  #mismatch(name: string, value: unknown, wanted: string): Error {
    const kind = jsonKind(value)
    return unreadable(this.#noun, `json: cannot unmarshal ${kind} into Go struct field ${this.#type}.${name} of type ${wanted}`)
  }
}

export function jsonKind(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

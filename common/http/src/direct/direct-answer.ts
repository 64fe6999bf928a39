import { STATUS_CODES } from 'node:http'
import { plainTextType, type BodyAnswer } from '../body-route.ts'

/** Writes the heads of answers as node:http does, and remembers what does not change from one to the next. */
export class DirectAnswers {
  readonly #webHeaders: () => Readonly<Record<string, string>>
  readonly #keepAliveSeconds: number
  #written: Readonly<Record<string, string>> = {}
  #writtenText = ''
  #second = -1
  #date = ''

  /** `webHeaders` go with every answer. */
  constructor(webHeaders: () => Readonly<Record<string, string>>, keepAliveMs: number) {
    this.#webHeaders = webHeaders
    this.#keepAliveSeconds = Math.floor(keepAliveMs / 1000)
  }

  /** The head of an answer after which the connection goes on; to be sent as Latin-1. */
  head({ status, headers, text }: BodyAnswer, nowMs: number): string {
    const second = Math.floor(nowMs / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#date = new Date(nowMs).toUTCString()
    }
    const webHeaders = this.#webHeaders()
    if (webHeaders !== this.#written) {
      this.#written = webHeaders
      this.#writtenText = formatHeaders(webHeaders)
    }
    const body =
      text === ''
        ? status === 204
          ? ''
          : 'Content-Length: 0\r\n'
        : `Content-Type: ${plainTextType}\r\nX-Content-Type-Options: nosniff\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`
    const rest = `Date: ${this.#date}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${this.#keepAliveSeconds}\r\n\r\n`
    return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n${this.#writtenText}${formatHeaders(headers)}${body}${rest}`
  }
}

function formatHeaders(headers: Readonly<Record<string, string>>): string {
  let text = ''
  for (const name of Object.keys(headers)) text += `${name}: ${headers[name]}\r\n`
  return text
}

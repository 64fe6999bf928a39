import type { Socket } from 'node:net'

const statusOfCode: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** What is wrong, where the status does not say it. */
const reasonOfCode: Readonly<Record<string, string>> = {
  HPE_INVALID_URL: 'want a path of ASCII characters without blanks: others are to be encoded, as %C3%A9 for é',
}

/** Listens to a server's `clientError`: says, as Go's servers do, what is no request, and closes the connection. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket & { _httpMessage?: { headersSent: boolean } }): void {
  // As node:http: what is under way is not mixed with this, it is broken off.
  if (socket.writable && socket._httpMessage?.headersSent !== true) {
    const code = error.code ?? ''
    const status = statusOfCode[code] ?? '400 Bad Request'
    const reason = reasonOfCode[code]
    const text = reason === undefined ? status : `${status}: ${reason}`
    socket.write(`HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${text}`)
  }
  socket.destroy(error)
}

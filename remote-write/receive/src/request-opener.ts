import { WireError } from '@narthex/wire/protobuf-cursor'
import { RemoteWrite1Reader } from '@narthex/wire/remote-write-1'
import type { WireAliases } from '@narthex/wire/remote-write-1'
import { RemoteWrite2Reader } from '@narthex/wire/remote-write-2'
import { bodyBytesMax, SnappyError, useUncompressed } from '@narthex/wire/snappy'
import { checkContentEncoding, readContentType } from './content-type.ts'
import type { WireVersion } from './content-type.ts'
import { answer } from './receive-answer.ts'
import type { ReceiveAnswer } from './receive-answer.ts'
import { RequestReport } from './request-report.ts'

/**
 * Opens remote-write requests: looks at what they say they are, uncompresses them and checks their structure as a whole. Not re-entrant, and it
 * keeps no reference to a body.
 */
export class RequestOpener {
  readonly reader1 = new RemoteWrite1Reader()
  readonly reader2 = new RemoteWrite2Reader()
  /** Headers that a version was asked for with, last: senders of a kind say the same. */
  #contentType: string | undefined
  #contentEncoding: string | undefined
  #version: WireVersion | undefined

  /** The version of the message, or the answer to a request that is none. */
  versionOf(contentType: string | undefined, contentEncoding: string | undefined): WireVersion | ReceiveAnswer {
    if (this.#version !== undefined && contentType === this.#contentType && contentEncoding === this.#contentEncoding) return this.#version
    const version = readContentType(contentType)
    if (typeof version === 'string') return answer(415, version, undefined, new RequestReport())
    const encodingProblem = checkContentEncoding(contentEncoding)
    if (encodingProblem !== undefined) return answer(415, encodingProblem, version, new RequestReport())
    this.#contentType = contentType
    this.#contentEncoding = contentEncoding
    this.#version = version
    return version
  }

  /**
   * What `use` makes of a request that is well-formed: it finds it in the reader of its version, whose bytes are those of another request as soon as
   * it has returned.
   */
  open(version: WireVersion, body: Uint8Array, aliases: WireAliases | undefined, use: () => ReceiveAnswer): ReceiveAnswer {
    try {
      return useUncompressed(body, bodyBytesMax, (bytes) => {
        if (version === 1) this.reader1.read(bytes, 0, bytes.length, aliases)
        else this.reader2.read(bytes)
        return use()
      })
    } catch (error) {
      if (error instanceof SnappyError || error instanceof WireError) return answer(400, error.message, version, new RequestReport())
      throw error
    }
  }
}

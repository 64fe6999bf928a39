import type { MatchType } from '@narthex/model/matcher'
import type { Silence } from './silence.ts'
import { joinDelimited, MessageFields, MessageWriter, splitDelimited } from '../storage/protobuf.ts'
import { Matcher } from '@narthex/model/matcher'

// silencepb.Matcher.Type
const matchTypes: readonly MatchType[] = ['=', '=~', '!=', '!~']

export interface StoredSilence {
  readonly silence: Silence
  readonly expiresAtNs: bigint
}

/** The `silences` file of Alertmanager: length-delimited silencepb.MeshSilence. */
export function encodeSilences(stored: Iterable<StoredSilence>): Uint8Array {
  return joinDelimited([...stored].map(encodeSilence))
}

/** Throws if the bytes are no such file or hold a broken matcher. */
export function decodeSilences(bytes: Uint8Array): StoredSilence[] {
  return splitDelimited(bytes).map(decodeSilence)
}

function encodeSilence({ silence, expiresAtNs }: StoredSilence): Uint8Array {
  const message = new MessageWriter().text(1, silence.id)
  for (const { type, name, value } of silence.matchers) {
    message.message(2, new MessageWriter().uint(1, matchTypes.indexOf(type)).text(2, name).text(3, value))
  }
  message.timestamp(3, silence.startsAtNs).timestamp(4, silence.endsAtNs).timestamp(5, silence.updatedAtNs)
  message.text(8, silence.createdBy).text(9, silence.comment)
  return new MessageWriter().message(1, message).timestamp(2, expiresAtNs).finish()
}

function decodeSilence(bytes: Uint8Array): StoredSilence {
  const mesh = new MessageFields(bytes)
  const message = mesh.message(1)
  const matchers = message.messages(2).map((matcher) => {
    const type = matchTypes[matcher.uint(1)]
    if (type === undefined) throw new Error(`cannot read silence: want matcher type 0 to 3, got ${matcher.uint(1)}`)
    return new Matcher(type, matcher.text(2), matcher.text(3))
  })
  // Before 0.5 authors stood in the list of comments.
  const [oldComment] = message.messages(7)
  const silence: Silence = {
    id: message.text(1),
    matchers,
    startsAtNs: message.timestamp(3),
    endsAtNs: message.timestamp(4),
    updatedAtNs: message.timestamp(5),
    createdBy: message.text(8) || (oldComment?.text(1) ?? ''),
    comment: message.text(9) || (oldComment?.text(2) ?? ''),
  }
  return { silence, expiresAtNs: mesh.timestamp(2) }
}

import { readTargetGroups } from './read-target-groups.ts'
import type { TargetGroup } from './target-groups.ts'

const hostPort = /^(\[[0-9a-fA-F:.%\w]+\]|[^\s:/[\]{}"',]+):\d{1,5}$/
/** A host name has at most 253 characters. */
const hostPortLengthMax = 300

/**
 * The groups in one value: `{"targets": […], "labels": {…}}`, a list of such, or a plain `host:port`. `origin` names their sources; `labels`
 * are added to each. Throws with a one-line reason.
 */
export function readEtcdValue(value: Uint8Array, origin: string, labels: Readonly<Record<string, string>>): TargetGroup[] {
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8').trim()
  if (text.length <= hostPortLengthMax && hostPort.test(text)) return [{ source: `${origin}:0`, targets: [{ __address__: text }], labels }]
  if (!text.startsWith('{') && !text.startsWith('[')) {
    throw new Error(`cannot read targets: want JSON or host:port, got ${JSON.stringify(text.slice(0, 40))}`)
  }
  const content: unknown = JSON.parse(text)
  return readTargetGroups(Array.isArray(content) ? content : [content], origin, labels)
}

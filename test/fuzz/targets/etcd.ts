import { readEntry, readError, readRevision } from '@narthex/agent/discovery/etcd-answers'
import { takeWatchMessage } from '@narthex/agent/discovery/etcd-client'
import { EtcdKeys } from '@narthex/agent/discovery/etcd-keys'
import { isRecord, listField, parseJson, recordField } from '@narthex/agent/discovery/json-fields'
import { LineSplitter } from '@narthex/agent/discovery/line-splitter'
import type { TargetGroup } from '@narthex/agent/discovery/target-groups'
import { eachPiece, encode, encodeJson, ensure, type FuzzTarget } from '../fuzz-target.ts'
import { ensureListedGroups } from '../target-groups.ts'

const lineBytesMax = 100_000
const prefix = '/narthex/'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const kv = (key: string, value: string, revision: number): object => ({
  key: base64(prefix + key),
  value: base64(value),
  create_revision: '1',
  mod_revision: String(revision),
  version: '1',
})
const header = (revision: number): object => ({ cluster_id: '1', member_id: '2', revision: String(revision), raft_term: '3' })
const list = JSON.stringify([{ targets: ['a:1', 'b:2'], labels: { job: 'x' } }, { targets: ['c:3'] }])

const range = encodeJson({ header: header(9), kvs: [kv('a', 'host:1', 7), kv('b/c', list, 8), kv('bad', '%', 9)], more: true, count: '3' })
const change = (event: object): object => ({ result: { header: header(10), events: [event] } })
const watch = [
  { result: { header: header(9), created: true } },
  change({ kv: kv('a', list, 10) }),
  change({ type: 'PUT', kv: kv('a', 'host:2', 11), prev_kv: kv('a', list, 10) }),
  { result: { header: header(12), events: [{ type: 'DELETE', kv: { key: base64(`${prefix}a`), mod_revision: '12' } }], fragment: true } },
  { result: { header: header(13) } },
]
const canceled = { result: { header: header(13), canceled: true, compact_revision: '5', cancel_reason: 'etcdserver: mvcc: compacted' } }

/** Groups that a manager would hold: a group without targets and labels of its key ends one. */
function follow(held: Set<string>, groups: readonly TargetGroup[]): void {
  ensureListedGroups(groups)
  for (const { source, labels } of groups) {
    if (Object.keys(labels).length === 0) ensure(held.delete(source), `group ${source} ends that was not there`)
    else held.add(source)
  }
}

export const etcdTargets: readonly FuzzTarget[] = [
  {
    name: 'etcd-range',
    seeds: [range, encodeJson({ header: header(9) })],
    refusals: ['Error'],
    isJson: true,
    read(bytes) {
      const answer = parseJson(bytes, 'answer')
      const keys = new EtcdKeys(prefix, () => undefined)
      const held = new Set<string>()
      // The same keys once more change nothing but the last ones' order; then all are gone.
      for (const part of [answer, answer, {}]) {
        const reading = keys.startReading()
        reading.take(listField(part, 'kvs').map(readEntry))
        follow(held, reading.finish())
        ensure(readRevision(recordField(part, 'header')['revision']) >= 0n, 'a revision is negative')
      }
      ensure(held.size === 0, `${held.size} groups are left of no key`)
    },
  },
  {
    name: 'etcd-watch',
    seeds: [
      encode(watch.map((message) => `${JSON.stringify(message)}\n`).join('')),
      encode(`${JSON.stringify(change({ kv: kv('z', list, 4) }))}\n`),
    ],
    refusals: ['Error', 'EtcdError'],
    read(bytes) {
      const keys = new EtcdKeys(prefix, () => undefined)
      const held = new Set<string>()
      const splitter = new LineSplitter(lineBytesMax, (line) => {
        ensure(line.length > 0 && !line.includes(0x0a), 'a line is none')
        takeWatchMessage(parseJson(line, 'message'), {
          onCreated: () => undefined,
          onChanges(changes, nextRevision) {
            ensure(nextRevision >= 0n, 'the next revision is negative')
            follow(held, keys.apply(changes))
          },
        })
      })
      eachPiece(bytes, 7, (piece) => splitter.push(piece))
    },
  },
  {
    name: 'etcd-watch-message',
    seeds: [...watch, canceled, { error: { grpc_code: 5, message: 'no' } }].map((message) => encodeJson(message)),
    // A seed may be a refusal of the server's.
    refusals: ['Error'],
    isJson: true,
    read(bytes) {
      const keys = new EtcdKeys(prefix, () => undefined)
      const message = parseJson(bytes, 'message')
      try {
        takeWatchMessage(message, { onCreated: () => undefined, onChanges: (changes) => follow(new Set(), keys.apply(changes)) })
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'EtcdError') throw error
        ensure(isRecord(message) && (isRecord(message['error']) || isRecord(message['result'])), 'the server did not refuse')
      }
    },
  },
  {
    name: 'etcd-error',
    seeds: [
      encodeJson({ error: 'etcdserver: invalid auth token', code: 16, message: 'etcdserver: invalid auth token' }),
      encodeJson({ error: { grpc_code: 11, http_code: 400, message: 'etcdserver: mvcc: required revision has been compacted' } }),
      encode('404 page not found\n'),
    ],
    refusals: [],
    read(bytes) {
      const { message, code } = readError(400, bytes)
      ensure(message !== '' && message.length <= 400 && typeof code === 'number', `the error is ${JSON.stringify(message)}`)
    },
  },
]

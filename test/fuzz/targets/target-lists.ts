import { parseTargetGroups } from '@narthex/agent/discovery/file'
import { readTargetGroups } from '@narthex/agent/discovery/read-target-groups'
import { readEtcdValue } from '@narthex/agent/discovery/etcd-values'
import type { TargetGroup } from '@narthex/agent/discovery/target-groups'
import { decode, encode, encodeJson, ensure, type FuzzTarget } from '../fuzz-target.ts'
import { ensureListedGroups } from '../target-groups.ts'

const groups = [
  { targets: ['10.0.0.1:9100', '[::1]:9100', 'https://host/metrics'], labels: { job: 'a', __meta_x: '', none: null, ünï: 'x' } },
  { targets: [], labels: null },
  { labels: {} },
]

/** What was read says all that was written, and nothing else. */
function ensureSame(content: unknown, read: readonly TargetGroup[], added: Readonly<Record<string, string>>): void {
  ensureListedGroups(read)
  const list = (content ?? []) as readonly { readonly targets?: readonly (string | null)[] | null; readonly labels?: object | null | '' }[]
  ensure(list.length === read.length, `${list.length} groups were read as ${read.length}`)
  for (const [index, { targets, labels }] of list.entries()) {
    const group = read[index]!
    ensure(
      JSON.stringify(group.targets.map(({ __address__ }) => __address__)) === JSON.stringify((targets ?? []).map((target) => target ?? '')),
      'other targets',
    )
    const wanted = new Map<string, unknown>([...Object.entries(labels === '' ? {} : (labels ?? {})), ...Object.entries(added)])
    const got = Object.entries(group.labels)
    ensure(got.length === wanted.size && got.every(([name, value]) => (wanted.get(name) ?? '') === value), 'other labels')
  }
}

export const targetListTargets: readonly FuzzTarget[] = [
  {
    name: 'target-groups',
    seeds: [encodeJson(groups), encodeJson([]), encodeJson(null), encodeJson([{ targets: ['a:1'], labels: { __proto__x: 'b' } }])],
    refusals: ['Error', 'SyntaxError'],
    isJson: true,
    read(bytes) {
      const content: unknown = JSON.parse(decode(bytes))
      const added = { __meta_url: 'http://fuzz' }
      ensureSame(content, readTargetGroups(content, 'fuzz', added), added)
    },
  },
  {
    name: 'target-file-yaml',
    seeds: [
      encode(
        "# all\n- targets: ['a:1', b:2]\n  labels: {job: x, 'ä': \"y\"}\n- &one\n  targets:\n    - c:3\n  labels:\n    on: true\n- *one\n",
      ),
      encodeJson(groups),
    ],
    // The YAML library says by a ReferenceError that aliases become too many.
    refusals: ['Error', 'ReferenceError'],
    share: 300,
    read: (bytes) => ensureListedGroups(parseTargetGroups(decode(bytes), '/etc/fuzz.yml')),
  },
  {
    name: 'etcd-value',
    seeds: [encode('10.0.0.1:9100'), encode(' [fe80::1%eth0]:80\n'), encodeJson(groups), encodeJson(groups[0])],
    refusals: ['Error', 'SyntaxError'],
    isJson: true,
    read: (bytes) => ensureListedGroups(readEtcdValue(bytes, '/fuzz', { __meta_etcd_key: '/fuzz' })),
  },
]

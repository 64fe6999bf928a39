import { expect, test } from 'vitest'
import { parseFamilies } from './family-parser.ts'
import { findPeerDifferences, type Families, type PeerExceptions } from './peer-differences.ts'

function read(text: string): Families {
  return new Map(parseFamilies(Buffer.from(text)).map((family) => [family.name, family]))
}

/** Lines of one reading: `type name{labels} value`. */
function reading(...lines: readonly string[]): Families {
  let text = ''
  const typed = new Set<string>()
  for (const line of lines) {
    const [type, sample] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]
    const name = /^\w+/.exec(sample)![0]
    if (!typed.has(name)) text += `# TYPE ${name} ${type}\n`
    typed.add(name)
    text += `${sample}\n`
  }
  return read(text)
}

const find = (ours: Families, before: Families, after = before, exceptions: PeerExceptions = {}): string[] =>
  findPeerDifferences(ours, before, after, exceptions)

test('values between two readings are right, whichever way they move, and NaN is NaN', () => {
  const before = reading('counter a 1', 'gauge b 5', 'gauge c NaN')
  const after = reading('counter a 3', 'gauge b 4', 'gauge c NaN')
  expect(find(reading('counter a 2', 'gauge b 4.5', 'gauge c NaN'), before, after)).toEqual([])
  expect(find(reading('counter a 4', 'gauge b 6', 'gauge c 0'), before, after)).toEqual([
    'a{}: want 1 to 3, got 4',
    'b{}: want 5 to 4, got 6',
    'c{}: want NaN to NaN, got 0',
  ])
})

test('families and samples that only one of them has are told, and other types; what a process says of itself is not', () => {
  const theirs = reading('counter a{x="1"} 1', 'gauge b 1', 'gauge c 1', 'gauge go_x 1')
  const ours = reading('counter a{x="2"} 1', 'counter b 1', 'gauge d 1', 'gauge process_x 1')
  expect(find(ours, theirs)).toEqual([
    'a{x="1"}: missing',
    'a{x="2"}: not in the original',
    'b: want type gauge, got counter',
    'c: missing',
    'd: not in the original',
  ])
})

test('a sample that the peer shows in one of its readings only may be there or not', () => {
  const [first, second] = [reading('gauge a{x="1"} 1'), reading('gauge a{x="2"} 1')]
  expect(find(reading('gauge a{x="2"} 1'), first, second)).toEqual([])
  expect(find(reading('gauge a{x="3"} 1'), first, second)).toEqual(['a{x="3"}: not in the original'])
})

test('what is stated may differ, and nothing else', () => {
  const theirs = reading('gauge a{v="1"} 1', 'gauge old 1', 'gauge t 1', 'gauge passing{s="x"} 1', 'gauge other 1')
  const ours = reading('gauge a{n="x",v="2"} 1', 'gauge new 1', 'counter t 1', 'gauge passing{s="y"} 1', 'gauge other 2')
  const exceptions: PeerExceptions = {
    newerFamilies: /^new$/,
    olderFamilies: /^old$/,
    newerTypes: new Map([['t', 'counter']]),
    newerLabels: [[/^a$/, 'n']],
    otherLabelValues: /^a$/,
    otherSamples: [/^other\{/],
    passingSamples: /^passing$/,
  }
  expect(find(ours, theirs, theirs, exceptions)).toEqual([])
  expect(find(ours, theirs)).toHaveLength(8)
})

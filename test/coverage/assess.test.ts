import { parseFamilies } from '@narthex/exporter-kit/family-parser'
import type { InventoryRow } from '@narthex/exporter-kit/inventory'
import { expect, test } from 'vitest'
import { assessCoverage, isMet, type AssessOptions, type Families } from './assess.ts'
import { knownDifferences, readDifferenceRows } from './known-differences.ts'

const read = (text: string): Families => new Map(parseFamilies(Buffer.from(text)).map((family) => [family.name, family]))

function row(metric: string, labels: readonly string[], isDefault = true, source = 'both', type = 'untyped'): InventoryRow {
  return { metric, type, labels, collector: 'c', isDefault, source }
}

function assess(original: string, ours: string, inventory: readonly InventoryRow[], options: Partial<AssessOptions> = {}) {
  return assessCoverage({
    exporter: 'node',
    inventory,
    scenes: [{ name: 's', isDefault: true, original: read(original), ours: read(ours) }],
    knownDifferences: [],
    defaultShareMin: 0.5,
    othersShareMin: undefined,
    ...options,
  })
}

const missingOf = (...parameters: Parameters<typeof assess>): readonly string[] => assess(...parameters).bounds[0]!.missing

test('a family is covered when its name, type and label names are there', () => {
  expect(missingOf('a{x="1"} 1\n', 'a{x="2"} 5\n', [row('a', ['x'])])).toEqual([])
  expect(missingOf('a 1\n', 'b 1\n', [row('a', [])])).toEqual(['a: missing (s)'])
  expect(missingOf('a 1\n', '# TYPE a gauge\na 1\n', [row('a', [])])).toEqual(['a: want type untyped, got gauge (s)'])
  expect(missingOf('a{x="1"} 1\n', 'a 1\n', [row('a', ['x'])])).toEqual(['a: other labels -x (s)'])
  expect(missingOf('a 1\n', 'a{x="1"} 1\n', [row('a', [])])).toEqual(['a: other labels +x (s)'])
})

test('the newest release decides on types and labels, the installed one on what the inventory does not list', () => {
  expect(missingOf('# TYPE a gauge\na 1\n', '# TYPE a counter\na 1\n', [row('a', [], true, 'both', 'counter')])).toEqual([])
  expect(missingOf('a 1\n', 'a{new="1"} 1\n', [row('a', ['new'])])).toEqual([])
  expect(missingOf('a{old="1"} 1\n', 'a 1\n', [row('a', [])])).toEqual([])
  expect(missingOf('a{x="1"} 1\n', 'a 1\n', [])).toEqual(['a: other labels -x (s)'])
})

test('what only the installed release has is gone, unless its names are made from what it finds', () => {
  const inventory = [row('old', [], false, 'live'), row('dynamic', [], true, 'live')]
  const { bounds, gone } = assess('old 1\ndynamic 1\n', '', inventory)
  expect(gone).toEqual(['old'])
  expect(bounds[0]).toMatchObject({ wanted: 1, covered: 0, missing: ['dynamic: missing (s)'] })
})

test('the last share that is enough and the first that is not', () => {
  const inventory = [row('a', []), row('b', [])]
  expect(isMet(assess('a 1\nb 1\n', 'a 1\n', inventory).bounds[0]!)).toBe(true)
  expect(isMet(assess('a 1\nb 1\n', 'a 1\n', inventory, { defaultShareMin: 0.51 }).bounds[0]!)).toBe(false)
  // Where nothing was compared nothing is covered.
  expect(isMet(assess('', 'a 1\n', inventory).bounds[0]!)).toBe(false)
})

test('a difference with a reason is told under it, and only where there is one', () => {
  const knownDifferences = [
    { exporter: 'all', family: /^[ab]$/, row: 'reason' },
    { exporter: 'redis', family: /^c$/, row: 'other' },
  ]
  const { bounds, known } = assess('a 1\nb 1\nc 1\n', 'b 1\n', [row('a', []), row('b', []), row('c', [])], { knownDifferences })
  expect([...known]).toEqual([['reason', ['a']]])
  expect(bounds[0]).toMatchObject({ wanted: 2, covered: 1, missing: ['c: missing (s)'] })
})

test('others are those marked both that a default start lacks; those that nobody shows are told', () => {
  const inventory = [row('a', []), row('b', [], false), row('c', [], false), row('d', [], false, 'code'), row('e', [], false)]
  const scenes = [
    { name: 's', isDefault: true, original: read('a 1\n'), ours: read('a 1\n') },
    { name: 't', isDefault: false, original: read('a 1\nb 1\nc 1\nd 1\n'), ours: read('a 1\nc 1\n') },
  ]
  const { bounds, unseen } = assess('', '', inventory, { scenes, othersShareMin: 1 })
  expect(bounds[1]).toMatchObject({ wanted: 2, covered: 1, missing: ['b: missing (t)'] })
  expect(unseen).toEqual(['e'])
  expect(bounds.map(isMet)).toEqual([true, false])
  expect(assess('', '', inventory, { scenes }).bounds.map(isMet)).toEqual([true, true])
})

test('a family must be right wherever the original shows it', () => {
  const scenes = ['a 1\n', 'b 1\n'].map((text, i) => ({ name: `s${i}`, isDefault: true, original: read('a 1\n'), ours: read(text) }))
  expect(missingOf('', '', [row('a', [])], { scenes })).toEqual(['a: missing (s1)'])
})

test('of what dashboards ask for, all is wanted that the original shows in any scene', () => {
  const scenes = [{ name: 't', isDefault: false, original: read('a 1\nb 1\n'), ours: read('a 1\n') }]
  const { bounds } = assess('', '', [], { scenes, dashboards: ['a', 'b', 'c'] })
  expect(bounds[1]).toMatchObject({ wanted: 2, covered: 1, shareMin: 1, missing: ['b: missing (t)'] })
})

test('without an original the inventory says what is wanted, less what this machine cannot have', () => {
  const inventory = [row('a', ['x']), row('b', []), row('c', []), row('d', [], false)]
  const scenes = ['a{x="1"} 1\n', 'b{y="1"} 1\n'].map((text, i) => ({
    name: `s${i}`,
    isDefault: true,
    original: read(''),
    ours: read(text),
  }))
  const reasonAgainst = (name: string) => (name === 'c' ? 'no such hardware' : undefined)
  const { bounds, impossible } = assess('', '', inventory, { scenes, defaultShareMin: undefined, inventoryShareMin: 0.5, reasonAgainst })
  expect(bounds).toMatchObject([{ wanted: 2, covered: 1, missing: ['b: missing (s0)'] }])
  expect([...impossible]).toEqual([['no such hardware', ['c']]])
})

test('every known difference has its row in docs/differences.md', () => {
  const rows = readDifferenceRows()
  expect(knownDifferences.filter(({ row: named }) => !rows.has(named))).toEqual([])
})

import { formatFloat } from '@narthex/model/number'
import type { FamilyComparison, FamilyDifference } from './compare-families.ts'

type Kind = FamilyDifference['kind']

interface Section {
  readonly title: string
  readonly kinds: readonly Kind[]
}

// The worst first: what dashboards and alerts would no longer find.
const sections: readonly Section[] = [
  { title: 'only the first has these families', kinds: ['missing'] },
  { title: 'other types', kinds: ['type'] },
  { title: 'other label names', kinds: ['labels'] },
  { title: 'only the first has these samples', kinds: ['missing sample'] },
  { title: 'other values', kinds: ['value'] },
  { title: 'only the second has these families', kinds: ['additional'] },
  { title: 'only the second has these samples', kinds: ['additional sample'] },
]

/** What only the second exporter has more. A label more is one, too: it selects nothing that was selected before. */
export function isAddition(difference: FamilyDifference): boolean {
  const { kind } = difference
  return kind === 'additional' || kind === 'additional sample' || (kind === 'labels' && difference.missing.length === 0)
}

/** The report: a section for each kind of difference, one line each; of one family at most `toldMax` samples in a section. */
export function describeComparison({ differences }: FamilyComparison, toldMax: number): string {
  const texts = sections.flatMap(({ title, kinds }) => {
    const chosen = differences.filter(({ kind }) => kinds.includes(kind))
    if (chosen.length === 0) return []
    return [`${title}: ${chosen.length}\n${describeAll(chosen, toldMax)}`]
  })
  return texts.join('')
}

function describeAll(differences: readonly FamilyDifference[], toldMax: number): string {
  const lines: string[] = []
  for (const [name, ofFamily] of Map.groupBy(differences, nameOf)) {
    for (const difference of ofFamily.slice(0, toldMax)) lines.push(`  ${describeDifference(difference)}\n`)
    if (ofFamily.length > toldMax) lines.push(`  ${name}: ${ofFamily.length - toldMax} more\n`)
  }
  return lines.join('')
}

function nameOf(difference: FamilyDifference): string {
  return 'family' in difference ? difference.family.name : difference.name
}

function describeDifference(difference: FamilyDifference): string {
  switch (difference.kind) {
    case 'missing':
    case 'additional': {
      const { family, labelNames } = difference
      const labels = labelNames.length === 0 ? '' : ` {${labelNames.join()}}`
      return `${family.name}: ${family.type}${labels}, ${countOf(family.samples.length, 'sample')}`
    }
    case 'type':
      return `${difference.name}: want ${difference.want}, got ${difference.got}`
    case 'labels': {
      const missing = difference.missing.map((label) => `-${label}`)
      const additional = difference.additional.map((label) => `+${label}`)
      return `${difference.name}: ${[...missing, ...additional].join(' ')}`
    }
    case 'missing sample':
    case 'additional sample':
      return `${difference.sample} ${formatFloat(difference.value)}`
    case 'value': {
      const { low, high } = difference.want
      const want = Object.is(low, high) ? formatFloat(low) : `${formatFloat(low)} to ${formatFloat(high)}`
      return `${difference.sample}: want ${want}, got ${formatFloat(difference.got)}`
    }
  }
}

/** `1 sample`, `2 samples`; `families` for `family`. */
export function countOf(count: number, noun: string): string {
  if (count === 1) return `1 ${noun}`
  return `${count} ${noun.endsWith('y') ? `${noun.slice(0, -1)}ies` : `${noun}s`}`
}

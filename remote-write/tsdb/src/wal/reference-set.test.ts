import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ReferenceSet } from './reference-set.ts'
import { referenceMax } from './wal-format.ts'

it('has what was added and nothing else, also in another thread', () => {
  const reference = fc.oneof(fc.nat(200), fc.integer({ min: 65_500, max: 65_600 }), fc.integer({ min: 0, max: referenceMax }))
  fc.assert(
    fc.property(fc.array(reference), fc.array(reference), (added, asked) => {
      const set = new ReferenceSet()
      for (const one of added) set.add(one)
      const sent = new ReferenceSet(structuredClone(set.pages))
      const wanted = new Set(added)
      for (const one of [...added, ...asked]) {
        expect(set.has(one)).toBe(wanted.has(one))
        expect(sent.has(one)).toBe(wanted.has(one))
      }
    }),
  )
})

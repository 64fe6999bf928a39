import { HeadMemory } from '../head/head-memory.ts'
import type { HeadDescriptor } from '../head/head-memory.ts'
import { LateReader } from '../select/late-reader.ts'
import type { LatePins } from '../select/late-reader.ts'
import { Pinner } from '../select/pins.ts'
import type { Pins } from '../select/pins.ts'

/**
 * Where the ranges begin, multiples of `rangeMs`, that have sealed late samples of the head from before `beforeMs`; ascending. Runs in any thread, and
 * holds up no append.
 */
export function findLateRanges(descriptor: HeadDescriptor, beforeMs: number, rangeMs: number): number[] {
  const memory = new HeadMemory(descriptor)
  const pinner = new Pinner(memory, descriptor.readerSlot)
  const reader = new LateReader(memory)
  const starts = new Set<number>()
  pinner.hold()
  try {
    const pins = pinner.pin(Uint32Array.from({ length: pinner.seriesCount() }, (_, i) => i + 1))
    const sealed = sealedOf(pins)
    for (let i = 0; i < pins.refs.length; i++) {
      reader.forEachTime(sealed, i, (timeMs) => {
        if (timeMs < beforeMs) starts.add(Math.floor(timeMs / rangeMs) * rangeMs)
      })
    }
  } finally {
    pinner.release()
  }
  return [...starts].sort((a, b) => a - b)
}

/** Of what is pinned of late samples, that of the sealed ones. */
export function sealedOf({ late }: Pins): readonly LatePins[] {
  return late.filter(({ isSealed }) => isSealed)
}

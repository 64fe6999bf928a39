import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import { NameFilter } from '@narthex/exporter-kit/name-filter'

/** Flag names without dashes; the old spellings are those that the original still takes. */
export interface FilterFlags {
  readonly exclude: string
  readonly include: string
  readonly oldExclude: string
  readonly oldInclude?: string
}

/**
 * The filter of a pair of flags of which one may be given: an include pattern takes the place of a default exclude pattern. Throws for
 * both, for a flag that is given in both of its spellings, and for a bad pattern.
 */
export function createNameFilter(flags: FlagReader, { exclude, include, oldExclude, oldInclude = include }: FilterFlags): NameFilter {
  refuseBoth(flags, oldExclude, exclude)
  if (oldInclude !== include) refuseBoth(flags, oldInclude, include)
  const includePattern = flags.stringOfFirstGiven(include, oldInclude)
  const hasDefault = !flags.isGiven(exclude) && flags.string(exclude) !== ''
  if (includePattern !== '' && hasDefault) return new NameFilter('', includePattern)
  const excludePattern = flags.stringOfFirstGiven(exclude, oldExclude)
  if (includePattern !== '' && excludePattern !== '') throw new Error(`cannot use ${exclude}: want it or ${include}, got both`)
  return new NameFilter(excludePattern, includePattern)
}

function refuseBoth(flags: FlagReader, oldName: string, name: string): void {
  const areBothGiven = flags.isGiven(oldName) && flags.string(oldName) !== '' && flags.isGiven(name)
  if (areBothGiven) throw new Error(`cannot use ${oldName}: want one of it and ${name}, got both`)
}

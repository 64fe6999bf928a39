import { flag, type Flag } from '@narthex/service/flag-spec'
import type { FlagSpec, FlagValues } from './flag-spec.ts'

/** Flag specs in the form that @narthex/service/flags parses, by flag name. Defaults are for `--help`; `pickGivenFlags` leaves them out. */
export function describeFlags(specs: readonly FlagSpec[]): Record<string, Flag<unknown>> {
  return Object.fromEntries(specs.map((spec) => [spec.name, describeFlag(spec)]))
}

/** Values of the flags that were given, as an exporter wants them. */
export function pickGivenFlags(specs: readonly FlagSpec[], values: FlagValues, given: ReadonlySet<string>): FlagValues {
  return Object.fromEntries(specs.filter(({ name }) => given.has(name)).map(({ name }) => [name, values[name]]))
}

/** One warning line per flag that was given and has no effect. */
export function warnOfFlagsWithoutEffect(specs: readonly FlagSpec[], given: ReadonlySet<string>): string[] {
  return specs
    .filter((spec) => spec.withoutEffect !== undefined && given.has(spec.name))
    .map((spec) => `flag --${spec.name} has no effect: ${spec.withoutEffect}`)
}

function describeFlag(spec: FlagSpec): Flag<unknown> {
  const { name, help } = spec
  const options = { hidden: spec.hidden === true }
  const preset = spec.default
  if (spec.type === 'boolean') return flag.boolean(name, help, { ...options, ...(typeof preset === 'boolean' ? { default: preset } : {}) })
  if (spec.repeatable === true) return flag.list(name, help, { ...options, ...(Array.isArray(preset) ? { default: preset } : {}) })
  if (spec.type === 'number') return flag.number(name, help, typeof preset === 'number' ? preset : 0, options)
  if (spec.type === 'duration') return flag.durationMs(name, help, String(preset ?? '0s'), options)
  return flag.string(name, help, { ...options, ...(typeof preset === 'string' ? { default: preset } : {}) })
}

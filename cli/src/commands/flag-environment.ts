import { describeFlags } from '@narthex/exporter-kit/command-flags'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { Flag } from '@narthex/service/flag-spec'

/** An exporter's flags in the form that `parseFlags` takes, with the environment variable of each that has one. */
export function describeFlagsWithEnvironment(
  specs: readonly FlagSpec[],
  environment: ReadonlyMap<string, string>,
): Record<string, Flag<unknown>> {
  const described = Object.entries(describeFlags(specs)).map(([name, flag]): [string, Flag<unknown>] => {
    const variable = environment.get(name)
    return [name, variable === undefined ? flag : { ...flag, env: variable }]
  })
  return Object.fromEntries(described)
}

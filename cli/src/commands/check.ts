import type { MainContext } from '@narthex/service/lifecycle'
import { runSubcommand, type CommandGroup } from '../subcommands.ts'
import { runCheckConfig } from './check-config.ts'
import { checkFlags } from './check-flags.ts'
import { runCheckMetrics } from './check-metrics.ts'
import { runCheckRules } from './check-rules.ts'
import { runCheckServer } from './check-server.ts'
import { runCheckServiceDiscovery } from './check-service-discovery.ts'
import { runCheckWebConfig } from './check-web-config.ts'

const group: CommandGroup<MainContext> = {
  name: 'narthex check',
  help: 'Check the resources for validity.',
  flags: Object.values(checkFlags),
  notBuilt: ['alertmanager-config'],
  subcommands: {
    config: { help: 'Check if the config files are valid or not.', run: runCheckConfig },
    rules: { help: 'Check if the rule files are valid or not.', run: runCheckRules },
    metrics: { help: 'Read metrics from a file or standard input and check them.', run: runCheckMetrics },
    'web-config': { help: 'Check if the web config files are valid or not.', run: runCheckWebConfig },
    'service-discovery': {
      help: 'Perform service discovery for the given job name and report the results, including relabeling.',
      run: runCheckServiceDiscovery,
    },
    healthy: { help: 'Check if the server is healthy.', run: (argv) => runCheckServer('healthy', argv) },
    ready: { help: 'Check if the server is ready.', run: (argv) => runCheckServer('ready', argv) },
  },
}

/** narthex check KIND [FLAG ...] [FILE ...] */
export function runCheck(argv: readonly string[], context: MainContext): Promise<void> {
  return runSubcommand(group, argv, context)
}

import { ownArguments } from '@narthex/service/flags'
import { runMain, type MainContext } from '@narthex/service/lifecycle'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { runAgent } from './commands/agent.ts'
import { runCheck } from './commands/check.ts'
import { runCompare } from './commands/compare.ts'
import { runExporter } from './commands/exporter.ts'
import { runStatfsHelper } from '@narthex/exporter-kit/statfs-helper'
import { runPush } from './commands/push.ts'
import { runPromql } from './commands/promql.ts'
import { runQuery } from './commands/query.ts'
import { runServer } from './commands/server.ts'
import { runTest } from './commands/test-rules.ts'
import { runTsdbProgram } from './commands/tsdb.ts'
import { runUp } from './commands/up.ts'
import { statfsHelperCommand } from './statfs-helper-command.ts'
import { takeWord } from './subcommands.ts'
import { versionText } from './version.ts'

// narthex COMMAND [ARG ...]

type Command = (argv: readonly string[], context: MainContext) => void | Promise<void>

const commands: Readonly<Record<string, { help: string; run: Command }>> = {
  up: { help: 'everything in one process: server, agent and node exporter of this machine', run: runUp },
  server: { help: 'the receiver: storage, PromQL, rules, alerts, web pages; scrapes what its config says', run: runServer },
  agent: { help: 'discovers, scrapes, keeps on disk and remote-writes', run: runAgent },
  exporter: { help: 'one exporter: node, mysql, redis, nginx, container', run: runExporter },
  check: { help: 'says what is wrong: config, rules, metrics; asks whether a server is ready, healthy', run: runCheck },
  test: { help: 'runs unit tests of rules: rules', run: runTest },
  query: { help: 'asks a server: instant, range, series, labels, analyze', run: runQuery },
  promql: { help: 'prints queries in the usual form, edits their label matchers: format, label-matchers', run: runPromql },
  push: { help: 'sends pages of metrics by remote write: metrics', run: runPush },
  compare: {
    help: 'asks two servers the same queries, or reads two exporters (compare exporter), and lists what differs',
    run: runCompare,
  },
  tsdb: {
    help: 'looks into a data directory, makes blocks: list, analyze, dump, dump-openmetrics, create-blocks-from',
    run: runTsdbProgram,
  },
}

// Commands of the design that are not there yet: a clear line instead of "unknown command".
const notBuilt = ['pushgateway', 'alertmanager']

function usage(): string {
  const lines = Object.entries(commands).map(([name, { help }]) => `  ${name.padEnd(10)}${help}`)
  return `usage: narthex COMMAND [FLAG ...]\n\nCommands:\n${lines.join('\n')}\n\nnarthex COMMAND --help shows the flags of a command.\n`
}

function run(context: MainContext): void | Promise<void> {
  const { word: name, rest: argv } = takeWord('narthex', ownArguments())
  if (name === undefined) throw new UserError(`narthex: want a command, got none; one of ${Object.keys(commands).join(', ')}`)
  if (name === '--help' || name === 'help') throw new PrintAndExit(usage())
  if (name === '--version' || name === 'version') throw new PrintAndExit(`${versionText('narthex')}\n`)
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command) return command.run(argv, context)
  if (notBuilt.includes(name)) throw new UserError(`narthex: command ${name} is not built yet`)
  throw new UserError(`narthex: unknown command ${JSON.stringify(name)}, want one of ${Object.keys(commands).join(', ')}`)
}

// The exporter's helper process is this same program: it must start quickly, so nothing else of it does.
if (ownArguments()[0] === statfsHelperCommand) runStatfsHelper()
else void runMain(run)

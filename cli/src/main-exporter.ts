import { ownArguments } from '@narthex/service/own-arguments'
import { runMain } from '@narthex/service/lifecycle'
import { runExporter } from './commands/exporter.ts'

// narthex exporter NAME [ARG ...] alone: from a clone an exporter does not load the agent, nor the server.

void runMain((context) => runExporter(ownArguments().slice(1), context))

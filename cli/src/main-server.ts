import { ownArguments } from '@narthex/service/flags'
import { runMain } from '@narthex/service/lifecycle'
import { runServer } from './commands/server.ts'

// narthex server [ARG ...] alone: from a clone the server does not load the exporters, nor what the other commands need.

void runMain((context) => runServer(ownArguments().slice(1), context))

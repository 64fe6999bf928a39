import { ownArguments } from '@narthex/service/flags'
import { runMain } from '@narthex/service/lifecycle'
import { runAgent } from './commands/agent.ts'

// narthex agent [ARG ...] alone: from a clone the agent does not load the server (40 MB of the 150 that it may take).

void runMain((context) => runAgent(ownArguments().slice(1), context))

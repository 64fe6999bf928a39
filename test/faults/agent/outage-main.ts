import { runOutage } from './log-trials.ts'

// A process of its own, started as the agent is: outage-main.ts HOURS prints its figures as JSON.

console.log(JSON.stringify(await runOutage(Number(process.argv[2] ?? 72))))
process.exit(0)

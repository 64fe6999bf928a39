import { runRedisExporter } from './commands/redis-exporter.ts'
import { runOneExporter } from './commands/one-exporter.ts'

// narthex exporter redis [FLAG ...] alone: without the libraries of the others.

runOneExporter(runRedisExporter)

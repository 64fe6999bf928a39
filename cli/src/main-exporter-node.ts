import { runNodeExporter } from './commands/node-exporter.ts'
import { runOneExporter } from './commands/one-exporter.ts'

// narthex exporter node [FLAG ...] alone: without the libraries of the others.

runOneExporter(runNodeExporter)

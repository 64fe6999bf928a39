import { runContainerExporter } from './commands/container-exporter.ts'
import { runOneExporter } from './commands/one-exporter.ts'

// narthex exporter container [FLAG ...] alone: without the libraries of the others.

runOneExporter(runContainerExporter)

import { collectStartGarbage, compileEarly } from '@narthex/service/small-process'
import { runNginxExporter } from './commands/nginx-exporter.ts'
import { runOneExporter } from './commands/one-exporter.ts'

// narthex exporter nginx [FLAG ...] alone: without the libraries of the others.

compileEarly()
runOneExporter(async (argv, context) => {
  await runNginxExporter(argv, context)
  collectStartGarbage()
})

import { runMysqlExporter } from './commands/mysql-exporter.ts'
import { runOneExporter } from './commands/one-exporter.ts'

// narthex exporter mysql [FLAG ...] alone: without the libraries of the others.

runOneExporter(runMysqlExporter)

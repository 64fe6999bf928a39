import { runStatfsHelper } from '@narthex/exporter-kit/statfs-helper'
import { runMain } from '@narthex/service/lifecycle'
import { ownArguments } from '@narthex/service/own-arguments'
import { keepProcessSmall } from '@narthex/service/small-process'
import { statfsHelperCommand } from '../statfs-helper-command.ts'
import type { StartExporter } from './exporter.ts'

/** Runs a program that is one exporter, `exporter NAME [FLAG ...]`, or its own helper process. */
export function runOneExporter(start: StartExporter): void {
  if (ownArguments()[0] === statfsHelperCommand) runStatfsHelper()
  else {
    keepProcessSmall()
    void runMain((context) => start(ownArguments().slice(2), context))
  }
}

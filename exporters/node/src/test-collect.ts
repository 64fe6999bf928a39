import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import { silentLogger, type Logger } from '@narthex/service/logger'
import { NodeEnvironment } from './environment.ts'
import { nodeExporterFlags } from './flags.ts'

/** What a collector is made with. */
export function createEnvironment(flags: FlagValues, log: Logger = silentLogger): NodeEnvironment {
  return new NodeEnvironment(new FlagReader(nodeExporterFlags, flags), log, () => 1_700_000_000_000)
}

/** What one run of a collector writes, without help lines. Throws what the collector throws. */
export async function collectText(collector: Collector): Promise<string> {
  const writer = new FamilyWriter()
  const signal = new AbortController().signal
  await collector.collect({ writer, scrape: {}, remainingMs: () => 10_000, signal } satisfies CollectContext)
  return Buffer.from(writer.finish())
    .toString()
    .replaceAll(/^# HELP .*\n/gm, '')
}

import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { PageCache } from '@narthex/tsdb/block/page-cache'
import { formatBlockTable } from '@narthex/tsdb/tools/block-table'
import { closeBlocks, measureBlock, openBlocks } from '@narthex/tsdb/tools/open-blocks'
import { promtoolFlags } from '../subcommands.ts'
import { versionText } from '../version.ts'
import { defaultDirectory, runTool, writeText } from './tsdb-output.ts'

/** narthex tsdb list [-r] [db path] */
export async function runTsdbList(argv: readonly string[]): Promise<void> {
  const { values, arguments: positional } = parseFlags(
    {
      name: 'narthex tsdb list',
      help: 'List tsdb blocks.',
      version: versionText('narthex tsdb list'),
      flags: { ...promtoolFlags, isHumanReadable: flag.boolean('human-readable', 'Print human readable values.', { short: 'r' }) },
      arguments: [{ name: 'db path', help: `Database path (default is ${defaultDirectory}).`, isOptional: true }],
    },
    argv,
  )
  await runTool(async () => {
    const blocks = openBlocks(positional[0] ?? defaultDirectory, new PageCache())
    try {
      const rows = blocks.map((block) => ({ meta: block.meta, bytes: measureBlock(block) }))
      await writeText([formatBlockTable(rows, { hasHead: true, isHumanReadable: values.isHumanReadable })])
    } finally {
      closeBlocks(blocks)
    }
  })
}

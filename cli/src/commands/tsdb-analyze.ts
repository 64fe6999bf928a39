import type { Matcher } from '@narthex/model/matcher'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { PageCache } from '@narthex/tsdb/block/page-cache'
import { analyzeBlock } from '@narthex/tsdb/tools/analyze-block'
import { closeBlocks, openBlocks, ToolError } from '@narthex/tsdb/tools/open-blocks'
import { promtoolFlags } from '../subcommands.ts'
import { versionText } from '../version.ts'
import { defaultDirectory, runTool, writeText } from './tsdb-output.ts'
import { parseSelectors } from './tsdb-selectors.ts'

/** narthex tsdb analyze [--limit=20] [--extended] [--match=SELECTOR] [db path] [block id] */
export async function runTsdbAnalyze(argv: readonly string[]): Promise<void> {
  const { values, arguments: positional } = parseFlags(
    {
      name: 'narthex tsdb analyze',
      help: 'Analyze churn, label pair cardinality and compaction efficiency.',
      version: versionText('narthex tsdb analyze'),
      flags: {
        ...promtoolFlags,
        limit: flag.integer('limit', 'How many items to show in each list.', 20),
        extended: flag.boolean('extended', 'Run extended analysis.'),
        match: flag.string('match', 'Series selector to analyze. Only 1 set of matchers is supported now.'),
      },
      arguments: [
        { name: 'db path', help: `Database path (default is ${defaultDirectory}).`, isOptional: true },
        { name: 'block id', help: 'Block to analyze (default is the last block).', isOptional: true },
      ],
    },
    argv,
  )
  const [directory = defaultDirectory, wanted = ''] = positional
  await runTool(async () => {
    const selectors: readonly (readonly Matcher[])[] = values.match === undefined ? [] : parseSelectors([values.match])
    const blocks = openBlocks(directory, new PageCache())
    try {
      const block = wanted === '' ? blocks.at(-1) : blocks.find(({ meta }) => meta.ulid === wanted)
      if (block === undefined) throw new ToolError(`block ${wanted} not found`)
      const matchers = selectors[0]
      const options = { limit: values.limit, isExtended: values.extended }
      await writeText(analyzeBlock(block, matchers === undefined ? options : { ...options, matchers }))
    } finally {
      closeBlocks(blocks)
    }
  })
}

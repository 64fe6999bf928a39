import { totalmem } from 'node:os'
import { Labels } from '@narthex/model/labels'
import { isValidLabelName } from '@narthex/model/name'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { UserError } from '@narthex/service/user-error'
import { PageCache } from '@narthex/tsdb/block/page-cache'
import { BlockReader } from '@narthex/tsdb/block/block-reader'
import { formatBlockTable } from '@narthex/tsdb/tools/block-table'
import { createBlocks } from '@narthex/tsdb/tools/create-blocks'
import { measureBlock } from '@narthex/tsdb/tools/open-blocks'
import { promtoolFlags } from '../subcommands.ts'
import { versionText } from '../version.ts'
import { processOutput } from './check-output.ts'
import { runTsdbCreateRuleBlocks } from './tsdb-create-rule-blocks.ts'
import { defaultDirectory, runTool } from './tsdb-output.ts'

/** Of the machine's memory, for the samples of one block. */
const memoryShareMax = 0.5

const flags = {
  ...promtoolFlags,
  isHumanReadable: flag.boolean('human-readable', 'Print human readable values.', { short: 'r' }),
  isQuiet: flag.boolean('quiet', 'Do not print created blocks.', { short: 'q' }),
  maxBlockDurationMs: flag.durationMs(
    'max-block-duration',
    'Longest range of a block; a multiple of 2h by 3, 9, 27, ... that is not above it is taken.',
    '2h',
    { hidden: true },
  ),
  label: flag.list('label', 'Label to attach to metrics. Can be specified multiple times. Example --label=label_name=label_value'),
}

/** narthex tsdb create-blocks-from [FLAG ...] openmetrics [--label=NAME=VALUE ...] <input file> [<output directory>] */
export async function runTsdbCreateBlocks(argv: readonly string[]): Promise<void> {
  // The kind of input decides which flags there are.
  const kindAt = argv.findIndex((word) => word === 'openmetrics' || word === 'rules')
  if (argv[kindAt] === 'rules') return await runTsdbCreateRuleBlocks(argv.toSpliced(kindAt, 1))
  const { values, arguments: positional } = parseFlags(
    {
      name: 'narthex tsdb create-blocks-from',
      help: '[Experimental] Import samples from input and produce TSDB blocks. Please refer to the storage docs for more details.',
      version: versionText('narthex tsdb create-blocks-from'),
      flags,
      arguments: [
        { name: 'kind', help: 'openmetrics, or rules with its own arguments and flags.' },
        { name: 'input file', help: 'OpenMetrics file to read samples from.', isOptional: true },
        { name: 'output directory', help: `Output directory for generated blocks (default is ${defaultDirectory}).`, isOptional: true },
      ],
    },
    argv,
  )
  const [kind, inputPath, outputDirectory = defaultDirectory] = positional
  if (kind !== 'openmetrics') throw new UserError(`narthex tsdb create-blocks-from: want openmetrics or rules, got ${JSON.stringify(kind)}`)
  if (inputPath === undefined) {
    throw new UserError(`narthex tsdb create-blocks-from: error: required argument 'input file' not provided, try --help`)
  }
  const { isHumanReadable, isQuiet, maxBlockDurationMs } = values
  const request = {
    inputPath,
    outputDirectory,
    maxBlockDurationMs,
    labels: parseLabels(values.label),
    memoryBytesMax: totalmem() * memoryShareMax,
  }
  let hasHead = true
  await runTool(async () => {
    const { samplesLeftOut } = await createBlocks(request, (meta, directory) => {
      if (isQuiet) return
      process.stdout.write(formatBlockTable([{ meta, bytes: measureDirectory(directory) }], { hasHead, isHumanReadable }))
      hasHead = false
    })
    if (samplesLeftOut > 0) {
      processOutput.err(`warning: ${samplesLeftOut} samples were left out: they are not newer than the sample of their series before them`)
    }
  })
}

function measureDirectory(directory: string): number {
  const block = BlockReader.open(directory, new PageCache(0))
  try {
    return measureBlock(block)
  } finally {
    block.close()
  }
}

function parseLabels(texts: readonly string[]): Labels {
  const pairs: string[] = []
  for (const text of texts) {
    const at = text.indexOf('=')
    const name = text.slice(0, at)
    if (at < 0) throw new UserError(`narthex tsdb create-blocks-from: error: expected KEY=VALUE got ${JSON.stringify(text)}, try --help`)
    if (!isValidLabelName(name)) throw new UserError(`narthex tsdb create-blocks-from: invalid label name ${JSON.stringify(name)}`)
    pairs.push(name, text.slice(at + 1))
  }
  return Labels.fromPairs(pairs)
}

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

// What the writer's classes keep outside the shared memory. Each field is either in the class's `saveState` and `restoreState`, or named here with the reason
// why a start makes it anew.
const anew: Record<string, Record<string, string>> = {
  'head/shared-arena.ts SharedArena': { buffer: 'given', words: 'views', doubles: 'views', bytes: 'views' },
  'head/freed-words.ts FreedWords': { '#first': 'the queue begins at 0', '#end': 'the queue' },
  'head/freed-words.ts Stack': { length: 'of its owner', '#items': 'of its owner' },
  'head/shared-table.ts SharedTable': { '#control': 'given', '#directoryAt': 'given', '#arena': 'given' },
  'head/symbols.ts Symbols': {
    '#control': 'given',
    '#seed': 'in the control block',
    '#arena': 'given',
    '#bytes': 'of a lookup',
    '#start': 'of a lookup',
    '#length': 'of a lookup',
    '#isSame': 'a function',
    '#buffers': 'views of the arena',
  },
  'head/label-pairs.ts LabelPairs': {
    '#control': 'given',
    '#seed': 'in the control block',
    '#pairs': 'given',
    '#postings': 'given',
    '#name': 'of a lookup',
    '#value': 'of a lookup',
    '#isSame': 'a function',
    '#rewritten': 'scratch',
    '#symbols': 'given',
  },
  'head/series-table.ts SeriesTable': { touched: 'of a lookup' },
  'head/series-creator.ts SeriesCreator': {
    '#memory': 'given',
    '#symbols': 'given',
    '#pairs': 'given',
    refusal: 'of the last series',
    '#ids': 'of a lookup',
    '#hashes': 'of a lookup',
    '#length': 'of a lookup',
    '#hash': 'of a lookup',
    '#recent': 'a cache',
    '#postings': 'flushed',
    '#lastIds': 'a cache',
    '#names': 'a cache',
    '#namesLength': 'a cache',
    '#isSame': 'a function',
  },
  'head/retired-chunks.ts RetiredChunks': { '#writer': 'given', '#first': 'the queue begins at 0', '#end': 'the queue' },
  'chunk/open-chunk.ts OpenChunkWriter': {
    '#arena': 'given',
    '#window': 'of an append',
    '#tail': 'of an append',
    '#word': 'of an append',
    '#free': 'of an append',
    '#pieces': 'of an append',
    '#ending': 'of an append',
  },
  'head/head-chunks.ts HeadChunks': {
    '#memory': 'given',
    '#rangeMs': 'an option',
    '#counters': 'since the start',
    '#histograms': 'made again from the chunks',
    '#files': 'given by startFiling',
    '#referenceOf': 'given by startFiling',
    '#filedBefore': 'since the start',
    '#filer': 'flushed',
    '#reserve': 'of a commit',
    touched: 'of a commit',
    '#recordWords': 'views',
    '#recordDoubles': 'views',
  },
  'head/head-deletions.ts HeadDeletions': { '#view': 'by its getter', '#newRefs': 'in the view', '#newTimes': 'in the view' },
  'head/metric-metadata.ts MetricMetadata': { refused: 'since the start' },
  'head/late-samples.ts LateSamples': { payloads: 'has none', pending: 'none', '#memory': 'given' },
  'head/late-generations.ts LateGenerations': {
    pending: 'none',
    '#memory': 'given',
    '#places': 'given',
    '#payloads': 'given',
    '#pieces': 'has none',
    '#sealed': 'nothing is sealed',
    '#dropped': 'nothing is being freed',
    '#droppedPlace': 'nothing is being freed',
    '#movedPlace': 'nothing is sealed',
  },
  'head/late-pieces.ts LatePieces': { '#memory': 'given' },
  'head/late-payloads.ts LatePayloads': { '#arena': 'given' },
  'head/late-window.ts LateWindow': {
    windows: 'an option',
    isOwn: 'of a batch',
    onDelta: 'given',
    '#counters': 'since the start',
    '#there': 'of a batch',
  },
  'head/head-memory.ts HeadMemory': { controlDoubles: 'a view', chunksDirectory: 'given by startFiling' },
  'head/head.ts Head': {
    counters: 'since the start',
    refused: 'since the start',
    limits: 'options',
    pressure: 'given',
    takesCustomBuckets: 'an option',
    onCommit: 'given',
    onSeriesFreed: 'given',
    '#unusedSymbols': 'of a batch',
    '#aliases': 'learnt again',
    '#pending': 'none',
    '#now': 'an option',
    '#memoryBytesMax': 'an option',
    '#chunkRangeMs': 'an option',
    '#collector': 'no round is running',
    '#log': 'given',
    '#newSeries': 'none',
    '#slots': 'no readers',
    '#refusal': 'of the last one',
    '#pendingMax': 'of a batch',
    '#minValidMs': 'of a batch',
    '#maxValidMs': 'of a batch',
    '#newestMs': 'of a batch',
    '#refusedBeforeMs': 'where the blocks end',
    '#replaying': 'no log is read',
    '#uncheckedSeries': 'of a log',
    '#others': 'scratch',
    '#recordWords': 'views',
    '#recordDoubles': 'views',
    '#scratch': 'scratch',
  },
  'wal/log-references.ts LogReferences': {},
  'metadata/metadata-texts.ts MetadataTexts': {
    '#numbers': 'made of the payloads',
    '#writer': 'scratch',
    '#bytes': 'made of the payloads',
    refused: 'since the start',
  },
  'metadata/metadata-log.ts MetadataLog': {
    '#head': 'given',
    '#log': 'given',
    '#records': 'scratch',
    '#pending': 'none',
    '#isLogged': 'of a commit',
    '#familyOfRef': 'made of the families',
    '#restored': 'of a log',
  },
  'exemplars/exemplar-ring.ts ExemplarRing': {
    outOfOrder: 'since the start',
    appended: 'since the start',
    '#capacity': 'an option',
    '#values': 'a view',
    '#next': 'they are put again',
  },
  'head-chunks/head-chunk-writer.ts HeadChunkWriter': {
    '#options': 'given',
    '#fileBytes': 'an option',
    '#file': 'a new file',
    '#size': 'a new file',
    '#fd': 'a new file',
    '#buffer': 'written',
    '#behind': 'waited for',
    '#isClosed': 'open again',
    chunksWritten: 'since the start',
    bytesWritten: 'since the start',
  },
}

interface ClassText {
  readonly fields: readonly string[]
  readonly save: string
}

function readClass(file: string, name: string): ClassText {
  const source = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
  const text = new RegExp(`^(?:export )?class ${name}\\b.*?^\\}`, 'ms').exec(source)![0]
  const fields = [...text.matchAll(/^ {2}(?:readonly )?(#?\w+)(?::|\s=|;| =)/gm)].map((match) => match[1]!)
  // What the methods of the state name, and what they call for it.
  const saving = ['saveState', 'get items', 'get state', '#usedBytesByWindow', 'get #arenas'].map((method) => {
    return new RegExp(`^ {2}${method}\\(.*?^ {2}\\}`, 'ms').exec(text)?.[0] ?? ''
  })
  return { fields, save: saving.join('\n') }
}

it.each(Object.entries(anew))('every field of %s is in its state, or made anew for a reason', (where, madeAnew) => {
  const [file, name] = where.split(' ') as [string, string]
  const { fields, save } = readClass(file, name)
  expect(fields.length).toBeGreaterThan(0)
  const isSaved = (field: string): boolean => new RegExp(`this\\.${field}\\b|\\{[^}]*\\b${field}\\b[^}]*\\} = this\n`).test(save)
  const forgotten = fields.filter((field) => !isSaved(field) && madeAnew[field] === undefined)
  expect(forgotten, 'put it into saveState and restoreState, or name it here with a reason').toEqual([])
  expect(Object.keys(madeAnew).filter((field) => !fields.includes(field))).toEqual([])
})

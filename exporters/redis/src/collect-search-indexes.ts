import { parseGoFloat } from '@narthex/model/number'
import type { SearchRegex } from '@narthex/model/regex'
import type { RedisClient } from './redis-client.ts'
import { errorOf, fieldsOf, itemsOf, textOf } from './resp-value.ts'
import { writeSorted, type Row, type TargetWriter } from './target-writer.ts'

/** Indexes looked at. */
export const indexesMax = 10_000

const mebibyte = 1024 * 1024

/** Numbers of FT.INFO, their families and what they are multiplied with. */
const fields: readonly (readonly [field: string, family: string, type: 'counter' | 'gauge', factor: number])[] = [
  ['records_per_doc_avg', 'avg_per_doc_records', 'gauge', 1],
  ['bytes_per_record_avg', 'avg_per_record_bytes', 'gauge', 1],
  ['offset_bits_per_record_avg', 'avg_per_record_offset_bits', 'gauge', 1],
  ['offsets_per_term_avg', 'avg_per_term_offsets', 'gauge', 1],
  ['cleaning', 'cleaning', 'gauge', 1],
  ['doc_table_size_mb', 'doc_table_size_bytes', 'gauge', mebibyte],
  ['geoshapes_sz_mb', 'geoshapes_size_bytes', 'gauge', mebibyte],
  ['hash_indexing_failures', 'hash_indexing_failures', 'gauge', 1],
  ['indexing', 'indexing', 'gauge', 1],
  ['inverted_sz_mb', 'inverted_size_bytes', 'gauge', mebibyte],
  ['key_table_size_mb', 'key_table_size_bytes', 'gauge', mebibyte],
  ['max_doc_id', 'max_doc_id', 'gauge', 1],
  ['num_docs', 'num_docs', 'gauge', 1],
  ['num_records', 'num_records', 'gauge', 1],
  ['num_terms', 'num_terms', 'gauge', 1],
  ['number_of_uses', 'number_of_uses_total', 'counter', 1],
  ['offset_vectors_sz_mb', 'offset_vectors_size_bytes', 'gauge', mebibyte],
  ['percent_indexed', 'percent_indexed', 'gauge', 1],
  ['sortable_values_size_mb', 'sortable_values_size_bytes', 'gauge', mebibyte],
  ['tag_overhead_sz_mb', 'tag_overhead_size_bytes', 'gauge', mebibyte],
  ['text_overhead_sz_mb', 'text_overhead_size_bytes', 'gauge', mebibyte],
  ['total_index_memory_sz_mb', 'total_index_memory_size_bytes', 'gauge', mebibyte],
  ['total_inverted_index_blocks', 'total_inverted_index_blocks', 'gauge', 1],
  ['vector_index_sz_mb', 'vector_index_size_bytes', 'gauge', mebibyte],
]

/** The search indexes whose names match. Throws the server's own words if it has none of this. */
export async function collectSearchIndexes(client: RedisClient, writer: TargetWriter, wanted: SearchRegex): Promise<void> {
  const list = await client.call('FT._LIST')
  const failure = errorOf(list)
  if (failure !== undefined) throw new Error(`cannot list search indexes: ${failure}`)
  const names = itemsOf(list)
    .map((name) => textOf(name) ?? '')
    .filter((name) => name !== '' && wanted.test(name))
    .slice(0, indexesMax)
  const indexes = (await client.callAll(names.map((name) => ['FT.INFO', name]))).map((reply) => fieldsOf(reply))
  for (const [field, family, type, factor] of fields) {
    const rows: Row[] = []
    for (const [position, index] of indexes.entries()) {
      const value = parseGoFloat(textOf(index.get(field)) ?? '')
      if (value !== undefined) rows.push({ labels: ['index_name', names[position]!], value: value * factor })
    }
    writeSorted(writer, `search_index_${family}`, `Field ${field} of a search index.`, type, rows)
  }
}

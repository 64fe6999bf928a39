import { expect, test } from 'vitest'
import { formatBlockTable, formatBytes, formatGoDuration } from './block-table.ts'

test.each([
  [0, '0s'],
  [1, '1ms'],
  [999, '999ms'],
  [1000, '1s'],
  [15_501, '15.501s'],
  [60_000, '1m0s'],
  [200_001, '3m20.001s'],
  [7_200_000, '2h0m0s'],
  [31 * 86_400_000, '744h0m0s'],
  [-1500, '-1.5s'],
])('%i ms are %s, as Go prints them', (ms, text) => {
  expect(formatGoDuration(ms)).toBe(text)
})

test.each([
  [0, '0B'],
  [514, '514B'],
  [1023, '1023B'],
  [1024, '1KiB'],
  [3 * 1024 + 684, '3KiB684B'],
  [2 ** 30 + 1, '1GiB1B'],
])('%i bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})

test('columns are as wide as their longest cell, at least 13', () => {
  const meta = { ulid: '01M8GXBXW4HGSKRBEEPCNDEC7W', minTime: 0, maxTime: 1, compaction: { level: 1 }, version: 1 } as const
  expect(formatBlockTable([{ meta, bytes: 7 }], { hasHead: true, isHumanReadable: false })).toBe(
    'BLOCK ULID                  MIN TIME     MAX TIME     DURATION     NUM SAMPLES  NUM CHUNKS   NUM SERIES   SIZE\n' +
      '01M8GXBXW4HGSKRBEEPCNDEC7W  0            1            1ms          0            0            0            7\n',
  )
})

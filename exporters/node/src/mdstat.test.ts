import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseMdstat } from './mdstat.ts'

test('an array that is being rebuilt has its synced blocks and its missing disks', () => {
  const text =
    'md6 : active raid1 sdb2[2](F) sdc[1](S) sda2[0]\n      195310144 blocks [2/1] [U_]\n      bitmap: 0/1 pages\n' +
    '      [=>....]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec\n'
  expect(parseMdstat(text)).toEqual([
    {
      name: 'md6',
      activity: 'recovering',
      disksRequired: 2,
      disksActive: 1,
      disksDown: 1,
      disksFailed: 1,
      disksSpare: 1,
      blocks: 195310144,
      blocksSynced: 16775552,
    },
  ])
})

test('a reshape and a sync that waits are told apart from active arrays', () => {
  const reshape = 'md1 : active raid5 a[0] b[1]\n  10 blocks [2/2] [UU]\n  [>..]  reshape =  0.1% (1/10) finish=1min speed=1K/sec\n'
  expect(parseMdstat(reshape)).toMatchObject([{ activity: 'reshaping', blocksSynced: 1 }])
  const pending = 'md1 : active (auto-read-only) raid1 a[0] b[1]\n  10 blocks [2/2] [UU]\n  \tresync=PENDING\n'
  expect(parseMdstat(pending)).toMatchObject([{ activity: 'resyncing', blocksSynced: 0 }])
})

test('text that is no mdstat gives arrays or one error', () => {
  const line = fc.stringMatching(/^(md\d : |  )?[a-z0-9 [\]/()_U%=]{0,30}$/)
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      try {
        parseMdstat(lines.join('\n'))
      } catch (error) {
        expect(String(error)).toContain('cannot read array')
      }
    }),
  )
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseMountInfo } from './mount-info.ts'

const parse = (line: string | Buffer) => parseMountInfo(Buffer.from(line))[0]

test('optional fields, escapes and both kinds of read-only are understood', () => {
  expect(parse('36 35 98:0 /mnt1 /a\\040b\\134\\011c rw,noatime shared:1 master:2 - ext3 /dev/root\\040x ro,errors=continue\n')).toEqual({
    major: '98',
    minor: '0',
    pathBytes: '/a b\\\tc',
    path: '/a b\\\tc',
    fsType: 'ext3',
    device: '/dev/root\\040x',
    isReadOnly: true,
  })
  expect(parse('1 1 0:1 / /x rw - tmpfs  rw,errors=remount-ro\n')).toMatchObject({ device: '', isReadOnly: false })
})

test('a path that is not UTF-8 keeps its bytes for the system and is replaced for people', () => {
  const line = Buffer.concat([Buffer.from('1 1 0:1 / /x'), Buffer.of(0xff, 0xc3, 0xa9), Buffer.from(' rw - tmpfs t rw\n')])
  expect(parse(line)).toMatchObject({ path: '/x\ufffdé', pathBytes: '/x\xff\xc3\xa9' })
})

test('other bytes give mounts or one error', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9 /:\\\n-]{0,80}$/), (text) => {
      try {
        parseMountInfo(Buffer.from(text))
      } catch (error) {
        expect(String(error)).toContain('cannot read mountinfo')
      }
    }),
  )
})

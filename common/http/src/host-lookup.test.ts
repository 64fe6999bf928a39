import { describe, expect, it } from 'vitest'
import { parseHosts, parseResolv, resolveHost } from './host-lookup.ts'

describe('host lookup', () => {
  it('reads /etc/hosts with comments, tabs and several names', () => {
    const hosts = parseHosts('127.0.0.1\tlocalhost  One # two\n::1 one\nbad line\n')
    expect(hosts.get('one')).toEqual([
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ])
    expect(hosts.has('two')).toBe(false)
  })

  it('reads search list and ndots, the last search winning', () => {
    expect(parseResolv('search a.test\nsearch b.test. c.test\noptions ndots:5 rotate\n')).toEqual({
      search: ['b.test', 'c.test'],
      ndots: 5,
    })
  })

  it('gives addresses back as they are', async () => {
    expect(await resolveHost('10.0.0.1')).toEqual([{ address: '10.0.0.1', family: 4 }])
    expect(await resolveHost('localhost', 6)).toEqual([{ address: '::1', family: 6 }])
  })
})

import type { LookupAddress } from 'node:dns'
import { expect, it } from 'vitest'
import { createRandomLookup } from './random-lookup.ts'

const addresses: LookupAddress[] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address) => ({ address, family: 4 }))

function lookup(random: number, all: boolean, resolve = () => Promise.resolve(addresses)): Promise<unknown> {
  return new Promise((done, reject) => {
    createRandomLookup(resolve, () => random)('h', { all }, (error, found, family) => {
      if (error !== null) reject(error)
      else done(family === undefined ? found : [found, family])
    })
  })
}

it('gives one address by chance, in either shape', async () => {
  expect(await lookup(0, false)).toEqual(['10.0.0.1', 4])
  expect(await lookup(0.5, true)).toEqual([addresses[1]])
  expect(await lookup(0.999999, true)).toEqual([addresses[2]])
})

it('resolves for each connection anew', async () => {
  let asked = 0
  const resolve = (): Promise<LookupAddress[]> => Promise.resolve([{ address: `10.0.0.${++asked}`, family: 4 }])
  expect(await lookup(0, true, resolve)).toEqual([{ address: '10.0.0.1', family: 4 }])
  expect(await lookup(0, true, resolve)).toEqual([{ address: '10.0.0.2', family: 4 }])
})

it('hands on that there is no such host', async () => {
  await expect(lookup(0, true, () => Promise.reject(new Error('no such host')))).rejects.toThrow('no such host')
})

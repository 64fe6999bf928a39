import { expect, it } from 'vitest'
import { listFeatures } from './features-view.ts'
import type { ServerSettings } from './server.ts'

const settingsWith = (features: readonly string[]) => ({ features, flags: {} }) as unknown as ServerSettings

it('lists the operators of the language, and those of an experiment as they are switched on', () => {
  const off = listFeatures(settingsWith([]))['promql_operators']!
  expect(off).toMatchObject({ '+': true, atan2: true, '=~': true, '@': true, unless: true, sum: true })
  const on = listFeatures(settingsWith(['promql-experimental-functions']))['promql_operators']!
  expect([off['limitk'], on['limitk']]).toEqual([false, true])
  expect(Object.keys(on)).toEqual(Object.keys(off))
})

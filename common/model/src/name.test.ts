import { expect, it } from 'vitest'
import { isValidLabelName, isValidLegacyLabelName, isValidLegacyMetricName, isValidMetricName } from './name.ts'

it('accepts any text as a name but none and broken ones', () => {
  expect([isValidMetricName('my.metric é'), isValidMetricName(''), isValidMetricName('\ud800')]).toEqual([true, false, false])
  expect([isValidLabelName('my.label'), isValidLabelName('')]).toEqual([true, false])
})

it('legacy names are ASCII words, with colons in metric names only', () => {
  expect(['a', 'a:b', '_1', '1a', '', 'a.b', 'a\n'].map(isValidLegacyMetricName)).toEqual([true, true, true, false, false, false, false])
  expect(['a', 'a:b', '_1', '1a', '', 'é'].map(isValidLegacyLabelName)).toEqual([true, false, true, false, false, false])
})

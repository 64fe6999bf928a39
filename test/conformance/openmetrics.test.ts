import { describe, expect, it } from 'vitest'
import { findConformance } from '../kit/shared.ts'
import { runOpenMetricsFolder } from './openmetrics.ts'

const folder = findConformance('openmetrics')

describe.skipIf(folder === undefined)('the OpenMetrics suite', () => {
  it('gets the right verdict in every case', () => {
    const { passed, failures } = runOpenMetricsFolder(folder!)
    expect(failures).toEqual([])
    expect(passed).toBeGreaterThanOrEqual(100)
  })
})

describe('runOpenMetricsFolder', () => {
  it('fails where there are no cases', () => {
    expect(runOpenMetricsFolder(import.meta.dirname).failures).toHaveLength(1)
  })
})

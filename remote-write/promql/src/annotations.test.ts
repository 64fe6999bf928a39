import { describe, expect, it } from 'vitest'
import { Annotations } from './annotations.ts'
import type { BucketFalls } from './annotations.ts'

const place = (start: number, end: number) => ({ start, end })

describe('Annotations', () => {
  it('tells a text once, of the place that is evaluated last: behind its arguments, and those from left to right', () => {
    const annotations = new Annotations('rate(a) + rate(b)')
    annotations.warn('x', place(10, 17))
    annotations.warn('x', place(0, 7))
    expect(annotations.render(10).warnings).toEqual(['PromQL warning: x (1:11)'])
    annotations.warn('x', place(0, 17))
    expect(annotations.render(10).warnings).toEqual(['PromQL warning: x (1:1)'])
  })

  it('tells a text as a warning and as an info', () => {
    const annotations = new Annotations('a')
    annotations.warn('x', place(0, 1))
    annotations.info('x', place(0, 1))
    expect(annotations.render(10)).toEqual({ warnings: ['PromQL warning: x (1:1)'], infos: ['PromQL info: x (1:1)'] })
  })

  it('counts what is to be counted, of the first place', () => {
    const annotations = new Annotations('rate(a) + rate(a)')
    annotations.warnCounted('x', place(0, 7))
    expect(annotations.render(10).warnings).toEqual(['PromQL warning: x (1:1)'])
    annotations.warnCounted('x', place(10, 17))
    expect(annotations.render(10).warnings).toEqual(['PromQL warning: x (2 occurrences) (1:1)'])
  })

  it.each([
    [610, '6.1e+02'],
    [1500, '1.5e+03'],
    [100, '1e+02'],
    [99, '99'],
    [5, '5'],
    [545, '5.4e+02'],
    [555, '5.6e+02'],
    [995, '1e+03'],
    [0.25, '0.25'],
    [0.000012345, '1.2e-05'],
    [Infinity, '+Inf'],
  ])('describes the buckets that fell, the largest fall (%d) with two digits', (maxFall, text) => {
    const annotations = new Annotations('a')
    const falls = { sampleCount: 1, minBound: 0.5, maxBound: 0.5, maxFall: 1e-9, firstMs: 1_600, lastMs: 1_600 } satisfies BucketFalls
    annotations.info('x', place(0, 1), falls)
    annotations.info('x', place(0, 1), { ...falls, minBound: 0.1, maxBound: Infinity, maxFall, firstMs: 0, lastMs: 61_999 })
    expect(annotations.render(10).infos).toEqual([
      `PromQL info: x, from buckets 0.1 to +Inf, with a max diff of ${text}, over 2 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:01:01Z (1:1)`,
    ])
  })

  it('shows so many of a kind, and counts the rest', () => {
    const annotations = new Annotations('a')
    for (const text of ['x', 'y', 'z']) annotations.info(text, place(0, 1))
    expect(annotations.render(1).infos).toEqual(['PromQL info: x (1:1)', '2 more info annotations omitted'])
  })
})

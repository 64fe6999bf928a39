import { describe, expect, it } from 'vitest'
import { readAnswer } from './answer.ts'
import { compareAnswers } from './compare-answers.ts'

const options = { relativeTolerance: 1e-9, absoluteTolerance: 0, toldMax: 2 }
const matrix = (...series: readonly (readonly [metric: Record<string, string>, values: readonly (readonly [number, string])[]])[]) =>
  readAnswer({ resultType: 'matrix', result: series.map(([metric, values]) => ({ metric, values })) })
const up = { __name__: 'up', job: 'a' }

describe('compareAnswers', () => {
  it('finds answers the same whatever the order of series, and within the tolerance', () => {
    const one = matrix(
      [
        up,
        [
          [1, '1'],
          [2, 'NaN'],
          [3, '+Inf'],
        ],
      ],
      [{ b: 'c' }, [[1, '3e21']]],
    )
    const other = matrix(
      [{ b: 'c' }, [[1, '3.000000001e21']]],
      [
        up,
        [
          [1, '1.0000000009'],
          [2, 'NaN'],
          [3, '+Inf'],
        ],
      ],
    )
    expect(compareAnswers(one, other, options)).toEqual([])
  })

  it('tells each value that differs, up to a number, and counts the rest', () => {
    const wanted = matrix([
      up,
      [
        [1, '1'],
        [2, '2'],
        [3, '-Inf'],
      ],
    ])
    const got = matrix(
      [
        up,
        [
          [1, '1.1'],
          [4, '4'],
        ],
      ],
      [
        { b: 'c' },
        [
          [1, '1'],
          [2, '1'],
        ],
      ],
    )
    expect(compareAnswers(wanted, got, options)).toEqual([
      'up{job="a"} at 1970-01-01T00:00:01.000Z: want 1, got 1.1',
      'up{job="a"} at 1970-01-01T00:00:02.000Z: want 2, got no value',
      '3 more differences',
    ])
    expect(compareAnswers(matrix([up, [[1, '1']]]), matrix(), options)).toEqual(['up{job="a"}: want 1 value, got no such series'])
  })

  it('takes two refusals for the same, one for a difference', () => {
    expect(compareAnswers({ error: 'a' }, { error: 'b' }, options)).toEqual([])
    expect(compareAnswers(matrix(), { error: 'b' }, options)).toEqual(['want 0 series, got the error "b"'])
  })

  it('compares scalars, and histograms by their buckets', () => {
    const scalar = (text: string) => readAnswer({ resultType: 'scalar', result: [1, text] })
    expect(compareAnswers(scalar('1'), scalar('2'), options)).toHaveLength(1)
    const histogram = (count: string) =>
      readAnswer({
        resultType: 'vector',
        result: [
          {
            metric: up,
            histogram: [
              1,
              {
                count: '3',
                sum: '1.5',
                buckets: [
                  [0, '1', '2', '1'],
                  [0, '2', '4', count],
                ],
              },
            ],
          },
        ],
      })
    expect(compareAnswers(histogram('2'), histogram('2'), options)).toEqual([])
    expect(compareAnswers(histogram('2'), histogram('1'), options)).toHaveLength(1)
  })
})

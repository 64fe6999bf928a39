import { staleMarker, type WriteSeries } from '../../kit/remote-write.ts'
import { makeRandom } from './random.ts'

// The floats of the differential test. For 2.42 each lies between 1 and 199 ms behind a whole second, where no edge of a window, of a lookback
// or of a step of a subquery ever is: 2.42 counts what lies on the left edge, 3 does not. For a 3 every other series is on the second.

export const firstMs = Date.UTC(2026, 0, 5)
export const sampleCount = 960
export const intervalMs = 15_000
export const lastMs = firstMs + sampleCount * intervalMs

type Value = number | typeof staleMarker | undefined
type MutableSeries = WriteSeries & { readonly samples: (readonly [number, number | typeof staleMarker])[] }

const jobs = ['a', 'b', 'c']
const instances = ['i0', 'i1', 'i2', 'i3']

/** Four hours of 75 series: counters and gauges, with gaps and markers, of special values, histograms, and one for `group_left`. */
export function makeSeries(mayLieOnEdges = false): readonly WriteSeries[] {
  const random = makeRandom(20_260_105)
  const all: MutableSeries[] = []
  const add = (name: string, labels: Readonly<Record<string, string>>, next: (i: number) => Value): void => {
    const isOnEdges = mayLieOnEdges && all.length % 2 === 0
    const delayMs = 7_000 * Math.floor(random() * 2)
    const samples: (readonly [number, number | typeof staleMarker])[] = []
    for (let i = 0; i < sampleCount; i++) {
      const value = next(i)
      // As regular as a scrape: of two samples far apart for their number 2.42 and 3 extrapolate otherwise.
      const jitterMs = 1 + Math.floor(random() * 199)
      const timeMs = firstMs + i * intervalMs + (isOnEdges ? 0 : delayMs + jitterMs)
      if (value !== undefined) samples.push([timeMs, value])
    }
    all.push({ labels: { __name__: name, ...labels }, samples })
  }
  for (const [jobNumber, job] of jobs.entries()) {
    instances.forEach((instance, number) => {
      const labels = { job, instance }
      let count = 0
      // A counter begins at next to nothing, and each at another: 2.42 and 3 extrapolate the birth of others in two ways.
      add(
        'c_total',
        labels,
        (i) => (count = i === 0 ? (4 * jobNumber + number) * 1e-6 : random() < 0.01 ? random() : count + random() * 10),
      )
      add('g', labels, () => random() * 200 - 50)
      if (number < 2) addBroken(add, labels, random)
      if (number < 2) add('flat', { ...labels, zone: number === 0 ? 'north' : 'south' }, (i) => Math.floor(i / (50 + 20 * number)) % 4)
    })
    add('info', { job, version: job === 'c' ? '2' : '1', odd: '' }, () => 1)
    addHistogram(add, job, random)
  }
  add('special', { kind: 'mixed' }, () => pickSpecial(random))
  add('special', { kind: 'rare' }, () => (random() < 0.95 ? random() * 100 : pickSpecial(random)))
  add('special', { kind: 'zeros' }, () => (random() < 0.5 ? 0 : -0))
  return all
}

/** Series that are not always there. */
function addBroken(
  add: (name: string, labels: Readonly<Record<string, string>>, next: (i: number) => Value) => void,
  labels: Readonly<Record<string, string>>,
  random: () => number,
): void {
  add('sparse', labels, (i) => (Math.floor(i / 37) % 3 === 0 ? undefined : random() * 100))
  // A marker, then nothing for a while: the series ends at once.
  add('ending', labels, (i) => (i % 29 === 17 ? staleMarker : i % 29 > 17 && i % 29 < 24 ? undefined : random() * 100))
  // High enough for the start of a gap never to look like the birth of a counter, which 2.42 and 3 extrapolate otherwise.
  let count = 1e6
  add('gappy_total', labels, (i) => ((count += random() * 10), i % 53 < 30 ? count : i % 53 === 30 ? staleMarker : undefined))
  add('late', labels, (i) => (i < 300 || i > 700 ? undefined : random() * 1000))
}

// Nothing below 2 ** -1022: Go's logarithm of it is wrong.
const specialValues = [NaN, Infinity, -Infinity, -0, 0, 1, -1, 1e308, 1e-300, 0.1, 1e-9, 2 ** 53]

function pickSpecial(random: () => number): number {
  return specialValues[Math.floor(random() * specialValues.length)]!
}

/** One whole; one with counts that fall from bucket to bucket; one without +Inf and with a boundary that is none. */
function addHistogram(
  add: (name: string, labels: Readonly<Record<string, string>>, next: (i: number) => number) => void,
  job: string,
  random: () => number,
): void {
  const steps = Array.from({ length: sampleCount }, () => Math.floor(random() * 50))
  const bounds = job === 'c' ? ['0.1', '0.5', '1', '5', 'x'] : ['-1', '0.1', '0.5', '1', '5', '+Inf']
  bounds.forEach((le, rank) => {
    const share = job === 'b' && rank === 2 ? 0.1 : (rank + 1) / bounds.length
    let count = 0
    add('h_bucket', { job, le }, (i) => (count += i === 0 ? 0 : Math.floor(steps[i]! * share)))
  })
}

/** The series in slices of time, each of which a head takes as not too old. */
export function* sliceSeries(all: readonly WriteSeries[], sliceMs: number): Generator<readonly WriteSeries[]> {
  for (let fromMs = firstMs; fromMs < lastMs + sliceMs; fromMs += sliceMs) {
    const isInside = ([timeMs]: readonly [number, unknown]) => timeMs >= fromMs && timeMs < fromMs + sliceMs
    const slice = all.map(({ labels, samples, histograms = [] }) => {
      return { labels, samples: samples.filter(isInside), histograms: histograms.filter(isInside) }
    })
    yield slice.filter(({ samples, histograms }) => samples.length + histograms.length > 0)
  }
}

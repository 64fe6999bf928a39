import { RemoteWrite1Reader } from '@narthex/wire/remote-write-1'
import { RemoteWrite2Reader } from '@narthex/wire/remote-write-2'
import { describe, expect, test } from 'vitest'
import { ChurnLoad } from './churn-load.ts'
import { NodeLoad } from './node-load.ts'
import { RemoteWriteLoad, seriesLabels } from './remote-write-load.ts'
import type { WriteLoad } from './write-message.ts'

// The loads of the benches are what their names say, read by our own decoder.

interface DecodedSeries {
  readonly labels: string
  readonly value: number
  readonly timeMs: number
}

function sampleAt(samples: RemoteWrite1Reader['samples'], i: number): { value: number; timeMs: number } {
  const words = samples.words.slice(2 * i, 2 * i + 2)
  return { value: new Float64Array(words.buffer)[0]!, timeMs: samples.times[i]! }
}

/** All series of the current step of a 1.0 load; labels as `name=value` lines. */
function decodeStep(load: WriteLoad): DecodedSeries[] {
  const decoded: DecodedSeries[] = []
  for (let request = 0; request < load.requestCount; request++) {
    const bytes = Buffer.from(load.encode(request))
    const reader = new RemoteWrite1Reader()
    reader.read(bytes)
    for (let i = 0; i < reader.seriesCount; i++) {
      expect(reader.sampleEnd[i]).toBe(i + 1)
      decoded.push({ labels: decodeLabels(bytes.subarray(reader.labelsStart[i], reader.labelsEnd[i])), ...sampleAt(reader.samples, i) })
    }
  }
  return decoded
}

function decodeLabels(bytes: Buffer): string {
  const lines: string[] = []
  let at = 0
  const length = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  const text = (): string => {
    at++
    const bytesOfText = length()
    at += bytesOfText
    return bytes.toString('utf8', at - bytesOfText, at)
  }
  while (at < bytes.length) {
    at++
    length()
    const name = text()
    lines.push(`${name}=${text()}`)
  }
  return lines.join('\n')
}

const labelLines = (labels: readonly (readonly [string, string])[]): string => labels.map(([name, value]) => `${name}=${value}`).join('\n')

describe('the load of pods', () => {
  test('has the same series in each step, each with its value at the time of the step', () => {
    const load = new RemoteWriteLoad(450, 200, 1_700_000_000_000)
    expect(load.requestCount).toBe(3)
    load.step()
    load.step()
    const decoded = decodeStep(load)
    expect(decoded.map(({ labels }) => labels)).toEqual(Array.from({ length: 450 }, (_, i) => labelLines(seriesLabels(i))))
    expect(decoded.map(({ value }) => value)).toEqual(Array.from({ length: 450 }, (_, i) => load.value(i)))
    expect(new Set(decoded.map(({ timeMs }) => timeMs))).toEqual(new Set([1_700_000_030_000]))
  })

  test('says the same in 1.0 and 2.0', () => {
    const [first, second] = [1, 2] as const
    const load1 = new RemoteWriteLoad(450, 200, 1_700_000_000_000, { protocol: first })
    const load2 = new RemoteWriteLoad(450, 200, 1_700_000_000_000, { protocol: second })
    load1.step()
    load2.step()
    const decoded: DecodedSeries[] = []
    for (let request = 0; request < load2.requestCount; request++) {
      const bytes = Buffer.from(load2.encode(request))
      const reader = new RemoteWrite2Reader()
      reader.read(bytes)
      const symbol = (at: number): string => {
        const reference = reader.labelRefs[at]!
        return bytes.toString('utf8', reader.symbolStart[reference], reader.symbolEnd[reference])
      }
      for (let i = 0, at = 0; i < reader.seriesCount; i++) {
        const labels: [string, string][] = []
        for (; at < reader.labelRefsEnd[i]!; at += 2) labels.push([symbol(at), symbol(at + 1)])
        decoded.push({ labels: labelLines(labels), ...sampleAt(reader.samples, i) })
      }
    }
    expect(decoded).toEqual(decodeStep(load1))
  })
})

describe('the load of pods that come and go', () => {
  const options = { seriesCount: 2000, samplesPerRequest: 700, startMs: 0, stepMs: 300_000, replaceEveryMs: 600_000 }

  test('replaces a fifth of the series every ten minutes, all of them in fifty', () => {
    const load = new ChurnLoad(options)
    const seen = new Set<string>()
    const fresh: number[] = []
    for (let step = 1; step <= 10; step++) {
      load.step()
      const labels = decodeStep(load).map((series) => series.labels)
      expect(new Set(labels).size).toBe(2000)
      fresh.push(labels.filter((text) => !seen.has(text)).length)
      for (const text of labels) seen.add(text)
    }
    expect(fresh).toEqual([2000, 400, 0, 400, 0, 400, 0, 400, 0, 400])
    expect(seen.size).toBe(ChurnLoad.seriesCreated(options, 10))
  })

  test('refuses a number of series that has no whole fifth of pods', () => {
    expect(() => new ChurnLoad({ ...options, seriesCount: 1200 })).toThrow(/want a multiple of 1000 series, got 1200/)
  })
})

describe('the load of node exporters', () => {
  const text = (cpu: string, load: string): string => `# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{cpu="0",mode="idle"} ${cpu}
# TYPE node_load1 gauge
node_load1 ${load}
# TYPE node_os_info gauge
node_os_info{id="debian",name="a \\"b\\"",variant=""} 1
# TYPE node_boot_time_seconds gauge
node_boot_time_seconds 1.75e+09
`
  const options = {
    texts: [text('100.25', '0.5'), text('101.5', '0.52'), text('102.5', '0.48')],
    hosts: 3,
    seriesPerHost: 10,
    samplesPerRequest: 16,
    startMs: 0,
    stepMs: 15_000,
  }

  test('keeps what stood still, lets counters grow with the decimals they had, and gauges stay near what they were', () => {
    const load = new NodeLoad(options)
    // Two of four lines move; ten lines are two and a half times the four.
    expect(load.movingLines).toBe(6)
    load.step()
    let before = decodeStep(load)
    expect(before).toHaveLength(30)
    for (let step = 0; step < 20; step++) {
      load.step()
      const after = decodeStep(load)
      expect(after.map(({ labels }) => labels)).toEqual(before.map(({ labels }) => labels))
      for (const [i, { labels, value }] of after.entries()) {
        if (/node_cpu/.test(labels)) {
          expect(value).toBeGreaterThanOrEqual(before[i]!.value + 14.99)
          expect(value).toBe(Math.round(value * 100) / 100)
        } else if (/node_load1/.test(labels)) expect(Math.abs(value - 0.5)).toBeLessThan(0.1)
        else expect(value).toBe(before[i]!.value)
      }
      before = after
    }
  })

  test('writes labels as the exporter means them, sorted, and none without a value', () => {
    const load = new NodeLoad(options)
    load.step()
    expect(decodeStep(load)[2]!.labels).toBe(
      '__name__=node_os_info\nid=debian\ninstance=host-0.example.internal:9100\njob=node\nname=a "b"',
    )
    expect(new Set(decodeStep(load).map(({ labels }) => labels)).size).toBe(30)
  })
})

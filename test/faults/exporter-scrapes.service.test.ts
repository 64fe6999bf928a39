import { expect, test } from 'vitest'
import { seededRandom } from './agent/scenario.ts'
import { formatReport, scrapeOften } from './exporters/many-scrapes.ts'

// A share of `npm run faults -- exporter-scrapes`.

test.for(['node', 'mysql', 'redis', 'nginx'] as const)(
  'the memory of the %s exporter stays where it is over a thousand scrapes',
  { timeout: 180_000 },
  async (kind) => {
    const report = await scrapeOften({ kind, count: 1_000, random: seededRandom(1) })
    // V8 still compiles, and its heap goes up and down by as much; the full trial allows 2 MB.
    expect(report.lateBytes - report.earlyBytes, formatReport(report)).toBeLessThan(8e6)
    expect(report.lateBytes, formatReport(report)).toBeLessThan(40e6)
  },
)

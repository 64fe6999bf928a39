import { ScrapeClient, waitForFirstScrape } from '../../bench/scrape-clients.ts'
import { exporterPrograms, startSubject, type ExporterKind } from '../../bench/exporter-contenders.ts'
import { readTreeUsage } from '../../bench/measure.ts'
import { launcher } from '../../kit/narthex.ts'
import { findFreePort, startProcess } from '../../kit/process.ts'

// Scrapes without end: what an exporter keeps of one, it keeps of a hundred thousand.

export interface ManyScrapes {
  readonly kind: ExporterKind
  readonly count: number
  /** 0 to 1, for which kind of client asks next. */
  readonly random: () => number
}

export interface MemoryReport {
  readonly kind: ExporterKind
  /** Own memory of the process (RssAnon), medians of the second and of the last quarter of the scrapes. */
  readonly earlyBytes: number
  readonly lateBytes: number
}

/** Looks at the memory of a run. */
const looksPerRun = 200

/** Asks one exporter so often: mostly over kept connections, some with gzip, some that begin anew. Rejects at an answer that is not 200. */
export async function scrapeOften({ kind, count, random }: ManyScrapes): Promise<MemoryReport> {
  const subject = await startSubject(kind)
  try {
    const [{ args, environment }] = exporterPrograms(kind, subject)
    const port = await findFreePort()
    const flags = [...args.slice(1), `--web.listen-address=127.0.0.1:${port}`]
    const running = startProcess(launcher, flags, { env: { ...process.env, ...environment } })
    try {
      await waitForFirstScrape(port, performance.now(), 120_000)
      const looks = await ask(running.pid, port, count, random)
      const quarter = looks.length / 4
      return { kind, earlyBytes: median(looks.slice(quarter, 2 * quarter)), lateBytes: median(looks.slice(3 * quarter)) }
    } catch (cause) {
      throw new Error(`cannot scrape the ${kind} exporter: ${running.output()}`, { cause })
    } finally {
      await running.stop()
    }
  } finally {
    await subject?.stop()
  }
}

/** Anonymous memory after each `count / looksPerRun` scrapes. */
async function ask(pid: number, port: number, count: number, random: () => number): Promise<number[]> {
  const kept = [new ScrapeClient(port, 'identity'), new ScrapeClient(port, 'gzip')] as const
  const looks: number[] = []
  const scrapes = Math.ceil(count / looksPerRun)
  try {
    for (let look = 0; look < looksPerRun; look++) {
      for (let i = 0; i < scrapes; i++) {
        const die = random()
        const client = die < 0.05 ? new ScrapeClient(port, 'identity') : kept[die < 0.2 ? 1 : 0]
        await client.scrape(1)
        client.milliseconds.length = 0
        if (die < 0.05) client.close()
      }
      looks.push(readTreeUsage(pid).anonymousBytes)
    }
    return looks
  } finally {
    for (const client of kept) client.close()
  }
}

/** `node 23.1 -> 23.4 MB` */
export function formatReport({ kind, earlyBytes, lateBytes }: MemoryReport): string {
  return `${kind} ${(earlyBytes / 1e6).toFixed(1)} -> ${(lateBytes / 1e6).toFixed(1)} MB`
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >>> 1]!
}

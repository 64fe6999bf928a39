import { startNodeExporter } from '../kit/services.ts'

const pauseMs = 1_000

/** What a real node exporter of this machine answers, `count` times, a second apart. */
export async function recordNodeExporter(count = 1): Promise<string[]> {
  const exporter = await startNodeExporter()
  try {
    const texts: string[] = []
    while (texts.length < count) {
      if (texts.length > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
      texts.push(await (await fetch(`${exporter.url}/metrics`)).text())
    }
    return texts
  } finally {
    await exporter.stop()
  }
}

import { useEffect, useState } from 'preact/hooks'
import { getJson } from './api-client.ts'

/** Numbers of segments of the log: the first one, the last one, and the one that is being read. */
export interface ReplayProgress {
  readonly min: number
  readonly max: number
  readonly current: number
}

/** `asking` until the first answer; then `ready`, or how far a server is that reads its log. */
export type Start = 'asking' | 'ready' | ReplayProgress

const askEveryMs = 500

/** Asks until the server is ready; one that cannot be asked counts as that, and the pages tell what is wrong. */
export function useStart(): Start {
  const [start, setStart] = useState<Start>('asking')
  useEffect(() => {
    const abort = new AbortController()
    let timer: number | undefined
    const ask = async () => {
      const next = await readStart(abort.signal).catch((): Start => 'ready')
      if (abort.signal.aborted) return
      setStart(next)
      if (next !== 'ready') timer = window.setTimeout(() => void ask(), askEveryMs)
    }
    void ask()
    return () => {
      abort.abort()
      window.clearTimeout(timer)
    }
  }, [])
  return start
}

async function readStart(signal: AbortSignal): Promise<Start> {
  const response = await fetch(new URL('-/ready', document.baseURI), { signal })
  if (response.status !== 503 || response.headers.get('X-Prometheus-Stopping') === 'true') return 'ready'
  return (await getJson<ReplayProgress>('api/v1/status/walreplay', {}, signal)).data
}

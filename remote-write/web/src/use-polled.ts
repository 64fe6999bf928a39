import { useEffect, useState } from 'preact/hooks'

export interface Polled<Value> {
  readonly value: Value | undefined
  readonly error: string | undefined
}

/**
 * Loads at once, then again `intervalMs` after each answer; pauses while the page is hidden. `key` restarts it.
 * An error keeps the last value, so that a page does not blink away while the server restarts.
 */
export function usePolled<Value>(load: (signal: AbortSignal) => Promise<Value>, intervalMs: number, key: string): Polled<Value> {
  const [state, setState] = useState<Polled<Value>>({ value: undefined, error: undefined })
  useEffect(() => {
    const abort = new AbortController()
    let timer: number | undefined
    const run = async () => {
      if (document.hidden) return
      try {
        const value = await load(abort.signal)
        if (!abort.signal.aborted) setState({ value, error: undefined })
      } catch (error) {
        if (abort.signal.aborted) return
        setState((last) => ({ value: last.value, error: error instanceof Error ? error.message : String(error) }))
      }
      if (!abort.signal.aborted) timer = window.setTimeout(() => void run(), intervalMs)
    }
    const onVisible = () => {
      window.clearTimeout(timer)
      void run()
    }
    document.addEventListener('visibilitychange', onVisible)
    void run()
    return () => {
      abort.abort()
      window.clearTimeout(timer)
      document.removeEventListener('visibilitychange', onVisible)
    }
  }, [key, intervalMs])
  return state
}

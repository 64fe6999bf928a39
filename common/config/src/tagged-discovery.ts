import { convertObject, type Checker, type ObjectCodec } from './object-codec.ts'

type Initial<Value extends { readonly mechanism: string }> = Omit<Value, 'mechanism'>

/** A mechanism's codec whose values carry the mechanism's name; `check` runs when all keys were read. */
export function tagged<Value extends { readonly mechanism: string }>(
  mechanism: Value['mechanism'],
  codec: ObjectCodec<Initial<Value>>,
  check?: (value: Initial<Value>, checker: Checker) => void,
): ObjectCodec<Value> {
  return convertObject(
    codec as ObjectCodec<object>,
    (raw, checker) => {
      check?.(raw as Initial<Value>, checker)
      return { mechanism, ...raw } as unknown as Value
    },
    (value) => {
      const { mechanism: _mechanism, ...rest } = value
      return rest
    },
    { mechanism, ...codec.defaults() } as unknown as Value,
  )
}

/** Prometheus takes a refresh interval of zero and stops with a panic when it starts the mechanism. */
export function checkRefreshInterval({ refreshIntervalMs }: { readonly refreshIntervalMs: number }, { fail }: Checker): void {
  if (refreshIntervalMs === 0) fail('refresh_interval must be greater than 0', 'refresh_interval')
}

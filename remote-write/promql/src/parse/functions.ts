import type { ValueType } from './ast.ts'

export interface FunctionSignature {
  readonly name: string
  readonly argTypes: readonly ValueType[]
  /** 0: exactly argTypes; n: the last of argTypes may be missing or come up to n times; -1: any number of times. */
  readonly variadic: number
  readonly returns: ValueType
  /** Needs `--enable-feature=promql-experimental-functions`. */
  readonly experimental: boolean
}

const signatures = new Map<string, FunctionSignature>()

function define(
  names: string,
  argTypes: readonly ValueType[],
  options: { variadic?: number; returns?: ValueType; experimental?: boolean } = {},
): void {
  for (const name of names.split(' ')) {
    const { variadic = 0, returns = 'vector', experimental = false } = options
    signatures.set(name, { name, argTypes, variadic, returns, experimental })
  }
}

const experimental = true

define(
  'abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad sgn sin sinh sort sort_desc sqrt tan tanh timestamp',
  ['vector'],
)
define('histogram_avg histogram_count histogram_stddev histogram_stdvar histogram_sum', ['vector'])
define('day_of_month day_of_week day_of_year days_in_month hour minute month year', ['vector'], { variadic: 1 })
define(
  'absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate last_over_time max_over_time ' +
    'min_over_time present_over_time rate resets stddev_over_time stdvar_over_time sum_over_time',
  ['matrix'],
)
define('mad_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time', ['matrix'], { experimental })
define('clamp', ['vector', 'scalar', 'scalar'])
define('clamp_max clamp_min', ['vector', 'scalar'])
define('double_exponential_smoothing', ['matrix', 'scalar', 'scalar'], { experimental })
define('end range start step', [], { returns: 'scalar', experimental })
define('max_of min_of', ['scalar', 'scalar'], { returns: 'scalar', experimental })
define('histogram_fraction', ['scalar', 'scalar', 'vector'])
define('histogram_quantile', ['scalar', 'vector'])
define('histogram_quantiles', ['vector', 'string', 'scalar', 'scalar'], { variadic: 9, experimental })
define('info', ['vector', 'vector'], { variadic: 1, experimental })
define('integral', ['matrix', 'scalar'], { variadic: 1, experimental })
define('label_join', ['vector', 'string', 'string', 'string'], { variadic: -1 })
define('label_replace', ['vector', 'string', 'string', 'string', 'string'])
define('pi time', [], { returns: 'scalar' })
define('predict_linear', ['matrix', 'scalar'])
define('quantile_over_time', ['scalar', 'matrix'])
define('round', ['vector', 'scalar'], { variadic: 1 })
define('scalar', ['vector'], { returns: 'scalar' })
define('sort_by_label sort_by_label_desc', ['vector', 'string'], { variadic: -1, experimental })
define('start_timestamp', ['vector'], { experimental })
define('vector', ['scalar'])

/** All 91 functions of Prometheus 3.16 by name. */
export const functionSignatures: ReadonlyMap<string, FunctionSignature> = signatures

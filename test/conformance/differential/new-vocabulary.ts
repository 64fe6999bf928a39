// The words of the language that Prometheus 3 has and 2.42 has not.

export const windows = ['15s', '30s', '1m', '2m', '5m', '11m', '15s1ms', '1h', '29999ms', '61s']
export const durations = [
  ...['2m + 30s', 'step()', 'max_of(step(), 1m)', 'min_of(step() * 4, 10m)', '3 * 45s', '-(-2m)', '5m - 1m * 2', '2 ^ 7', '10m / 3'],
  ...['300', '62.5', 'max_of(range(), 2m)', '(1m + 15s) * 2', '1h % 7m', '+90s', 'step() + 1m', 'step()*2', 'range()'],
]
export const offsetDurations = [
  ...['(step() * 2)', 'step()', '(1m + 30s)', '-(2m)', '(-step())', 'max_of(step(), 1m)', '(5m / 2)', '90', '-1.5', '(range() / 4)', '15s'],
]
export const subquerySteps = ['', '15s', '1m', '7s', 'step()', '15s * 2', 'max_of(step(), 30s)']
export const scalarCalls = ['start()', 'end()', 'step()', 'range()', '(end() - start())', 'time()', '-1']
export const numbers = ['2', '0.5', '-3', '0', '1e3', 'NaN', 'Inf', '-Inf', '1']
export const counts = ['0', '1', '2', '3.7', '5', '-1', '100']
export const ratios = ['0', '0.3', '0.5', '0.8', '1', '-0.2', '-0.5', '-1', '1.5', '-3', 'NaN']
export const labelLists = ['"job"', '"instance", "job"', '"missing"', '"__name__", "zone"', '"job", "instance", "le"']

export const exactRangeFunctions = [
  ...['first_over_time', 'ts_of_first_over_time', 'ts_of_last_over_time', 'ts_of_max_over_time', 'ts_of_min_over_time'],
  ...['last_over_time', 'count_over_time', 'present_over_time', 'max_over_time', 'min_over_time', 'absent_over_time'],
]
export const rates = ['rate', 'increase', 'delta', 'rate', 'increase', 'irate', 'idelta', 'changes']
export const floatRangeFunctions = [
  ...['min_over_time', 'max_over_time', 'stddev_over_time', 'stdvar_over_time', 'changes', 'resets', 'count_over_time', 'deriv'],
  ...['mad_over_time', 'absent_over_time', 'present_over_time', 'ts_of_max_over_time', 'ts_of_last_over_time', 'sum_over_time'],
]
export const floatFunctions = [...['abs', 'ceil', 'floor', 'round', 'exp', 'sgn', 'sin', 'ln', 'day_of_week', 'hour', 'absent']]
export const floatAggregations = ['min', 'max', 'stddev', 'stdvar', 'count', 'group', 'sum', 'avg']

export const histogramNames = ['nh', 'nh', 'nh', 'nhg', 'nhf', 'nhcb', 'nhnan', 'nhchange', 'mixed']
export const histogramConditions = ['', '', '', 'job="a"', 'job!="b"', 'instance="i1"', 'job=~"b|c"']
export const histogramRangeFunctions = [
  ...['rate', 'increase', 'delta', 'irate', 'idelta', 'sum_over_time', 'avg_over_time', 'last_over_time', 'first_over_time', 'rate'],
]
export const histogramFunctions = ['histogram_count', 'histogram_sum', 'histogram_avg', 'histogram_stddev', 'histogram_stdvar']
export const extensions = ['', '', '', ' anchored', ' smoothed']
export const bounds = ['0', '1', '-1', '0.3', '2.5', '-0.5', '5', 'Inf', '-Inf', 'NaN', '1e-4', '4', '100']
export const quantiles = ['0', '0.1', '0.25', '0.5', '0.77', '0.9', '0.99', '1', '-1', '1.5', 'NaN', '-Inf']
export const quantileLists = ['0.5', '0.1, 0.9', '0.5, 0.99, 1', '0.25, -1', '0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1', '0.5, 0.5']

export const groupings = ['', ' by (job)', ' by (instance)', ' without (job)', ' by (job, instance)', ' without ()', ' by (__name__)']
export const setMatchings = ['', ' on (job)', ' ignoring (instance)', ' on ()']
export const matchings = [
  '',
  '',
  ' on (job, instance)',
  ' ignoring (instance)',
  ' on (job) group_left',
  ' on (job)',
  ' ignoring (job) group_right',
]
export const operators = ['+', '-', '*', '/', '%', '^', 'atan2', '==', '!=', '<', '>=', '> bool', '== bool', '</', '>/']
export const fillableOperators = ['+', '-', '*', '==', '!=', '<', '> bool', '/']
const fills = ['fill (0)', 'fill (NaN)', 'fill_left (1)', 'fill_right (-2.5)', 'fill_left (1) fill_right (2)', 'fill (Inf)', 'fill (1e3)']
export const fillMatchings = fills.flatMap((fill) => [
  ...[` ${fill}`, ` on (job, instance) ${fill}`, ` ignoring (zone) ${fill}`, ` on (job) group_left ${fill}`],
  ...[` on (job) group_right (version) ${fill}`, ` on (instance) ${fill}`],
])
export const infoMatchers = [
  ...[
    '',
    '',
    ', {version=~".+"}',
    ', {version="1"}',
    ', {odd=""}',
    ', {__name__="build_info"}',
    ', {__name__=~".*_info"}',
    ', {missing="x"}',
  ],
  ...[', {zone!="north"}', ', {__name__=~"target_info|build_info"}', ', {__name__!="target_info"}'],
]

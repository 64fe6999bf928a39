import { firstMs } from './series.ts'

// The words that the queries of the differential test are made of.

/** A metric and conditions that fit it. `isFinite`: it has no NaN and no infinity. */
export interface Family {
  readonly name: string
  readonly conditions: readonly string[]
  readonly isFinite: boolean
}

const ofJobs = ['job="a"', 'job!="a"', 'job=~"a|b"', 'job!~"b.*"', 'job=~".+"', 'job=~""']
const ofInstances = [...ofJobs, 'instance="i1"', 'instance=~"i[0-2]"', 'instance!~".*[34]"', 'instance!=""', 'zone=""']

export const families: readonly Family[] = [
  { name: 'c_total', conditions: ofInstances, isFinite: true },
  { name: 'g', conditions: ofInstances, isFinite: true },
  { name: 'sparse', conditions: ofInstances, isFinite: true },
  { name: 'ending', conditions: ofInstances, isFinite: true },
  { name: 'gappy_total', conditions: ofInstances, isFinite: true },
  { name: 'late', conditions: ofInstances, isFinite: true },
  { name: 'flat', conditions: [...ofInstances, 'zone="north"', 'zone!~"no.*"'], isFinite: true },
  { name: 'h_bucket', conditions: [...ofJobs, 'le="0.5"', 'le=~"1|5|[+]Inf"', 'le!="x"'], isFinite: true },
  { name: 'info', conditions: [...ofJobs, 'version="1"', 'odd=""'], isFinite: true },
  { name: 'absent_metric', conditions: [...ofInstances, 'a=~"b"'], isFinite: true },
  { name: 'special', conditions: ['kind="mixed"', 'kind=~"rare|zeros"', 'kind!="mixed"'], isFinite: false },
]

/** Their values are all different. */
export const distinctNames = ['c_total', 'g', 'gappy_total', 'late']
/** rate() and increase() of these do not depend on how a series that begins inside the window is extrapolated. */
export const steadyNames = ['c_total', 'gappy_total', 'h_bucket', 'flat']
/** The same at the steps of a subquery, which need not meet the first sample. */
export const steadyAtAnyStep = ['gappy_total', 'flat']

export const windows = ['30s', '2m', '5m', '11m', '90s', '1h', '1h5m', '50777ms']
// Wide of any whole second, where the steps of a subquery are. In a narrow one there may be none.
export const subqueryWindows = ['131777ms', '311777ms', '671777ms', '31m777ms']
export const narrowSubqueryWindow = '5777ms'
export const subquerySteps = ['', '30s', '1m', '95s', '7s']
export const groupings = [
  '',
  '',
  ' by (job)',
  ' by (instance)',
  ' without (job)',
  ' by (job, instance)',
  ' by (nothing)',
  ' by (le)',
].concat([' without (le, instance)', ' without ()', ' by ()', ' by (__name__, job)', ' by (zone, version)'])
export const offsets = ['', '', '', '', ' offset 7m', ' offset -3m', ' offset 1h10m']
export const singleShifts = [...offsets, ' @ end()', ' @ start()'].concat([2, 3.5].map((hours) => ` @ ${firstMs / 1000 + hours * 3600}`))
export const shifts = [...singleShifts, ' @ start() offset 2m', ' offset -4m @ end()', ` @ ${firstMs / 1000 + 5400}.500 offset -1m`]
export const finiteNumbers = ['0.5', '2', '100', '-3', '1e3', '0x1F', '.25', '7']
export const numbers = [...finiteNumbers, '0', '-0', 'Inf', '-Inf', 'NaN', '1e-300']
/** No sum, share or average of the samples comes out at one of these. */
export const oddNumbers = ['17.1234567', '-0.7654321', '1234.5678123', '1.0000376']
export const quantiles = ['0', '0.1', '0.25', '0.5', '0.77', '0.9', '0.99', '1']
export const wildQuantiles = [...quantiles, '-1', '1.5', 'NaN', '-Inf']

export const counts = ['0', '1', '2', '3.7', '5', '-1', '100']

export const arithmetic = ['+', '-', '*', '/']
export const comparisons = ['==', '!=', '<', '<=', '>', '>=']
export const dateFunctions = ['day_of_month', 'day_of_week', 'day_of_year', 'days_in_month', 'hour', 'minute', 'month', 'year']
export const labelReplacements = [
  '"copy", "x-$1", "instance", "i(.*)"',
  '"copy", "${1}y$2", "job", "(.)(.*)"',
  '"copy", "$name", "job", "(?P<name>[ab])"',
  '"job", "", "instance", "i[01]"',
  '"job", "$1", "missing", "(.*)"',
  '"instance", "all", "instance", ".*"',
  '"le", "$1", "le", "(.+)[.].+"',
  '"__name__", "renamed", "job", "a"',
  '"__name__", "${1}_more", "__name__", "(.*)"',
  '"copy", "no", "job", "i"',
]
export const labelJoins = [
  '"both", "/", "job", "instance"',
  '"job", "-", "instance"',
  '"both", ""',
  '"instance", ",", "missing", "job"',
  '"__name__", ":", "job"',
]

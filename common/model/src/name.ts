const legacyMetricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const legacyLabelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/

/** Since Prometheus 3 every text of at least one character that UTF-8 can hold is a name. */
export function isValidMetricName(name: string): boolean {
  return name !== '' && name.isWellFormed()
}

/** The same rule as for metric names. */
export function isValidLabelName(name: string): boolean {
  return name !== '' && name.isWellFormed()
}

/** The names of Prometheus 2: ASCII letters, digits, underscores and colons, not beginning with a digit. */
export function isValidLegacyMetricName(name: string): boolean {
  return legacyMetricName.test(name)
}

/** As legacy metric names, without colons. */
export function isValidLegacyLabelName(name: string): boolean {
  return legacyLabelName.test(name)
}

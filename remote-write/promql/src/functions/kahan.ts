/** What rounding took from `a + b = total`: Neumaier's compensation; none of an infinite total. */
export function lossOfSum(a: number, b: number, total: number): number {
  if (total === Infinity || total === -Infinity) return 0
  return Math.abs(a) >= Math.abs(b) ? a - total + b : b - total + a
}

/** Neumaier's compensated sum, step by step as Prometheus does it, so that results agree to the last digit. */
export class KahanSum {
  sum: number
  compensation = 0

  constructor(sum = 0) {
    this.sum = sum
  }

  add(value: number): void {
    const { sum } = this
    const total = sum + value
    if (total === Infinity || total === -Infinity) this.compensation = 0
    else if (Math.abs(sum) >= Math.abs(value)) this.compensation += sum - total + value
    else this.compensation += value - total + sum
    this.sum = total
  }

  get total(): number {
    return this.sum === Infinity || this.sum === -Infinity ? this.sum : this.sum + this.compensation
  }

  reset(sum = 0): void {
    this.sum = sum
    this.compensation = 0
  }
}

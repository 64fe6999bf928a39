/** Lines that both texts have, those of the first alone (`-`) and those of the second alone (`+`), in an order that fits both. */
export function describeDifference(wanted: string, got: string): string {
  const [left, right] = [wanted, got].map((text) => (text === '' ? [] : text.split('\n'))) as [string[], string[]]
  const common = countCommon(left, right)
  const lines: string[] = ['']
  let [i, j] = [0, 0]
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      lines.push(`  ${left[i++]}`)
      j++
    } else if (j >= right.length || (i < left.length && common[i + 1]![j]! >= common[i]![j + 1]!)) lines.push(`- ${left[i++]}`)
    else lines.push(`+ ${right[j++]}`)
  }
  return lines.join('\n')
}

/** [i][j]: the longest common sequence of lines from i and j on. */
function countCommon(left: readonly string[], right: readonly string[]): Uint32Array[] {
  const rows = Array.from({ length: left.length + 1 }, () => new Uint32Array(right.length + 1))
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      rows[i]![j] = left[i] === right[j] ? rows[i + 1]![j + 1]! + 1 : Math.max(rows[i + 1]![j]!, rows[i]![j + 1]!)
    }
  }
  return rows
}

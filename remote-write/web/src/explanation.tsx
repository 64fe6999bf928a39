import type { ExplainedPart } from './api-client.ts'
import { formatSeconds, formatValue } from './format.ts'

/** The plan of a query over the range of its panel: a row for each part, those below it indented, with what each took. */
export function Explanation({ top }: { top: ExplainedPart }) {
  return (
    <table class="explanation">
      <thead>
        <tr>
          {['Part of the plan', 'Time', 'Own time', 'Series', 'Samples', 'Memory'].map((name) => (
            <th key={name}>{name}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {listParts(top, 0).map(({ part, depth }, index) => (
          <PartRow key={index} part={part} depth={depth} />
        ))}
      </tbody>
    </table>
  )
}

function PartRow({ part, depth }: { part: ExplainedPart; depth: number }) {
  const { operator, detail, rewrites, measures } = part
  const columns =
    measures === undefined
      ? ['', '', '', '', '']
      : [
          formatSeconds(measures.seconds),
          formatSeconds(measures.ownSeconds),
          String(measures.series),
          formatValue(measures.samples),
          formatValue(measures.bytes, 'bytes'),
        ]
  return (
    <tr>
      <td style={{ paddingLeft: `${depth + 0.5}em` }}>
        <span class="note">{operator}</span> <code>{detail}</code>
        {rewrites.map((text) => (
          <div class="note" key={text}>
            {text}
          </div>
        ))}
      </td>
      {columns.map((text, index) => (
        <td class="value" key={index}>
          {text}
        </td>
      ))}
    </tr>
  )
}

function listParts(part: ExplainedPart, depth: number): { readonly part: ExplainedPart; readonly depth: number }[] {
  return [{ part, depth }, ...part.children.flatMap((child) => listParts(child, depth + 1.5))]
}

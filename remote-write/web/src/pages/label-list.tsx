/** Labels as `name="value"`, one box each. */
export function LabelList({ labels }: { labels: Readonly<Record<string, string>> }) {
  return (
    <>
      {Object.entries(labels).map(([name, value]) => (
        <span class="label" key={name}>
          {`${name}="${value}"`}
        </span>
      ))}
    </>
  )
}

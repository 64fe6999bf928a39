/** Names and values in a panel. */
export function Facts({ title, facts }: { title: string; facts: Readonly<Record<string, unknown>> }) {
  return (
    <section class="panel">
      <h2>{title}</h2>
      <table>
        <tbody>
          {Object.entries(facts).map(([name, value]) => (
            <tr key={name}>
              <td>{name}</td>
              <td class="value">{String(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

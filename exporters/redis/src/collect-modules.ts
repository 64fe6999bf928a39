import type { Buffer } from 'node:buffer'
import { moduleFields } from './info-fields.ts'
import { InfoReport } from './info-report.ts'
import { readFieldNumber, writeField } from './collect-info.ts'
import { writeSorted, type Row, type TargetWriter } from './target-writer.ts'

const moduleLabels = ['api', 'filters', 'name', 'usedby', 'using', 'ver'] as const

/** Writes the answer of INFO MODULES: one line per module, then what the modules tell themselves. */
export function writeModules(writer: TargetWriter, text: Buffer): void {
  const report = new InfoReport(text)
  const modules: Row[] = []
  while (report.nextField()) {
    if (report.field === 'module') modules.push({ labels: readModule(report.value), value: 1 })
    else writeField(writer, moduleFields.get(report.field), readFieldNumber(report))
  }
  writeSorted(writer, 'module_info', 'Loaded modules as labels.', 'gauge', modules)
}

// name=ReJSON,ver=20000,api=1,filters=0,usedby=[search|timeseries],using=[],options=[handle-io-errors]
function readModule(value: string): readonly string[] {
  const parts = new Map<string, string>()
  for (const match of value.matchAll(/([a-z]+)=(\[[^\]]*\]|[^,]*)/g)) parts.set(match[1]!, match[2]!)
  return moduleLabels.flatMap((label) => [label, parts.get(label) ?? ''])
}

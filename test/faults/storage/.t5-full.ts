import { runFullDisk } from './full-disk.ts'
const rounds = Number(process.argv[2] ?? 12)
let state = Number(process.argv[3] ?? 1)
const random = () => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return state / 2 ** 32 }
const t = performance.now()
console.log(await runFullDisk({ rounds, random, print: (l) => console.log(l) }), performance.now() - t)

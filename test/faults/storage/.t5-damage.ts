import { runStorageDamage } from './storage-damage.ts'
const trials = Number(process.argv[2] ?? 200)
let state = Number(process.argv[3] ?? 1)
const random = () => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return state / 2 ** 32 }
const t = performance.now()
console.log(await runStorageDamage({ trials, random, print: (l) => console.log(l), problemsMax: Number(process.argv[4] ?? 6) }), performance.now() - t)

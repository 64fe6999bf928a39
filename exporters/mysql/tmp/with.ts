import { createEmbeddedMysql } from '../src/embedded-mysql.ts'
import '../../../cli/src/main-agent.ts'
if (process.env['NEVER']) console.log(createEmbeddedMysql)

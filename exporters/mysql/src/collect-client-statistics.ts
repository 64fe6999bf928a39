import { createAccountStatisticsCollector } from './account-statistics.ts'
import type { MysqlCollector } from './mysql-collector.ts'

export function createClientStatisticsCollector(): MysqlCollector {
  return createAccountStatisticsCollector({
    name: 'info_schema.clientstats',
    table: 'client_statistics',
    prefix: 'mysql_info_schema_client_statistics',
    label: 'client',
    counters: new Map([['max_statement_time_exceeded', 'max_statement_time_exceeded_total']]),
  })
}

import { createAccountStatisticsCollector } from './account-statistics.ts'
import type { MysqlCollector } from './mysql-collector.ts'

export function createUserStatisticsCollector(): MysqlCollector {
  return createAccountStatisticsCollector({
    name: 'info_schema.userstats',
    table: 'user_statistics',
    prefix: 'mysql_info_schema_user_statistics',
    label: 'user',
  })
}

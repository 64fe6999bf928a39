import { expect, test } from 'vitest'
import { findStatementProblem, stripSemicolon } from './custom-query-statement.ts'

test.each([
  'SELECT 1',
  '  (select a from t) union (select b from u);  -- the end',
  'WITH x AS (SELECT 1) SELECT * FROM x',
  'SHOW GLOBAL STATUS',
  'TABLE t',
  'VALUES ROW(1)',
  'EXPLAIN SELECT 1',
  `SELECT 'INTO; FOR UPDATE', "it's INTO", \`into\`, t.into FROM t # INTO`,
  'SELECT /* INTO OUTFILE */ 1 -- INTO\n, 2',
  'SELECT /*+ MAX_EXECUTION_TIME(10) */ update_time FROM information_schema.tables',
  `SELECT INSERT('abc', 1, 1, 'x'), REPLACE('a', 'b', 'c'), 0x1F, 1.5e3`,
  'SELECT 1;;',
  `SELECT '\\'; DROP TABLE t'`,
  'SELECT IF(a, 1, 2) AS `for`, 5 FROM t',
])('%s only reads', (sql) => {
  expect(findStatementProblem(sql)).toBeUndefined()
})

test.each([
  ['', 0, 'want a statement, got nothing'],
  [' -- only a remark', 0, 'want a statement, got nothing'],
  ['UPDATE t SET a = 1', 0, /^want SELECT, WITH, SHOW, .* got UPDATE$/],
  ['/* first */ CALL p()', 12, /got CALL$/],
  ['SET GLOBAL read_only = 0', 0, /got SET$/],
  ['(DELETE FROM t)', 1, /got DELETE$/],
  ['/*!50000 DROP TABLE t */', 9, /got DROP$/],
  ['SELECT 1; DROP TABLE t', 10, 'want one statement, got more behind a semicolon'],
  [`SELECT * FROM t INTO OUTFILE '/tmp/x'`, 16, 'want a statement that only reads, got INTO'],
  [`SELECT * FROM t /*!50000 INTO DUMPFILE '/tmp/x' */`, 25, 'want a statement that only reads, got INTO'],
  [`SELECT * FROM t /*M!100000 INTO @a */`, 27, 'want a statement that only reads, got INTO'],
  ['SELECT * FROM t WHERE a IN (SELECT 1 FROM u FOR  UPDATE)', 44, 'want a statement without locks, got FOR UPDATE'],
  ['SELECT * FROM t FOR SHARE', 16, 'want a statement without locks, got FOR SHARE'],
  ['SELECT * FROM t LOCK IN SHARE MODE', 16, 'want a statement without locks, got LOCK IN SHARE MODE'],
  ['WITH x AS (SELECT 1) DELETE FROM t', 21, 'want WITH … SELECT, got WITH … DELETE'],
])('%s is refused at %d', (sql, offset, text) => {
  expect(findStatementProblem(sql)).toEqual({ offset, text: typeof text === 'string' ? text : expect.stringMatching(text) })
})

test('the semicolon that ends a statement is not sent', () => {
  expect(stripSemicolon(' SELECT 1 ;\n; ')).toBe('SELECT 1')
})

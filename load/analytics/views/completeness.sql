-- What has been read: one row per stream and division. history_complete is true when all rows are there: from the
-- beginning of the books, without a filter, and without a reload being due; only then are balances right.
--
-- supports
SELECT TRY_CAST(c.scope AS INTEGER) AS division_code,
       c.stream,
       c.table_name,
       c.complete AND c.history_from = '' AND c.fingerprint NOT LIKE '%"filter":"%' AS history_complete,
       TRY_CAST(left(c.history_from, 10) AS DATE) AS history_from,
       c.read_at,
       c.rows
FROM _exactduck.cursors c
WHERE c.prefix = {prefix} AND TRY_CAST(c.scope AS INTEGER) IS NOT NULL

-- Rows that others name and that are not there, in scopes where all of both are. Of rows that came after the last
-- read of the others had begun nobody knows yet, and what the source has said to be deleted is no loss.
SELECT t.{scope}::VARCHAR, count(DISTINCT t.{column})::BIGINT, array_to_string(min(DISTINCT t.{column}::VARCHAR, 3), ', ')
FROM {table} t JOIN (SELECT unnest(?::VARCHAR[]) AS scope, unnest(?::TIMESTAMPTZ[]) AS read_at) p ON t.{scope}::VARCHAR = p.scope
ANTI JOIN {other} o ON o.{otherscope} = t.{scope} AND o.{otherkey} = t.{column}
ANTI JOIN {buried} b ON b.scope = t.{scope} AND b.key = t.{column}::VARCHAR
WHERE t._deleted_at IS NULL AND t.{column} IS NOT NULL AND t.{column}::VARCHAR <> '00000000-0000-0000-0000-000000000000'
AND t._synced_at < p.read_at
GROUP BY t.{scope}

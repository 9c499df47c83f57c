-- Entries of which there are lines and no line 0, the header.
SELECT scope::VARCHAR, count(*)::BIGINT, array_to_string(min(entry, 3), ', ')
FROM (SELECT t.{scope} AS scope, t.{column}::VARCHAR AS entry FROM {table} t WHERE t._deleted_at IS NULL AND t.{column} IS NOT NULL AND {held}
	GROUP BY ALL HAVING NOT bool_or(coalesce(t.LineNumber = 0, false)))
GROUP BY scope

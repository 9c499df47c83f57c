-- Entries whose lines do not add up to zero. Budgets (type 3000), what was rejected (status 5) and drafts (status 10)
-- are no entries.
SELECT scope::VARCHAR, count(*)::BIGINT, array_to_string(min(entry, 3), ', ')
FROM (SELECT t.{scope} AS scope, t.EntryID::VARCHAR AS entry FROM {table} t
	WHERE t._deleted_at IS NULL AND t.EntryID IS NOT NULL
	AND t.Type IS DISTINCT FROM 3000 AND t.Status IS DISTINCT FROM 5 AND t.Status IS DISTINCT FROM 10
	GROUP BY ALL HAVING sum(t.AmountDC::DECIMAL(18, 4)) <> 0)
GROUP BY scope

-- Rows beyond the first of each key.
SELECT scope::VARCHAR, sum(n - 1)::BIGINT, array_to_string(min(key, 3), ', ')
FROM (SELECT t.{scope} AS scope, {key} AS key, count(*) AS n FROM {table} t GROUP BY t.{scope}, {keys} HAVING count(*) > 1)
GROUP BY scope

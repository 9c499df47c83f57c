-- Values that did not fit into their column, and are kept in _extra as they came.
SELECT scope::VARCHAR, count(*)::BIGINT, array_to_string(list_sort(list_distinct(list(name)))[:3], ', ')
FROM (SELECT t.{scope} AS scope, unnest(json_keys(t._extra)) AS name FROM {table} t WHERE t._extra IS NOT NULL AND t._deleted_at IS NULL)
WHERE list_contains([{columns}], lower(name)) GROUP BY scope

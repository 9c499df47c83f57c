-- Rows that nothing tells apart: a part of their key is NULL.
SELECT t.{scope}::VARCHAR, count(*)::BIGINT, ''
FROM {table} t WHERE {nulls} GROUP BY t.{scope}

-- What Exact's numbers mean, in English and Dutch: one row per kind of code and code.
--
-- supports
SELECT kind, code, english, dutch
FROM (VALUES {labels}) l (kind, code, english, dutch)

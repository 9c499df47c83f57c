-- Accounts and periods of which the lines add up to something else than the source's own balances say. All lines of
-- an entry count, header and VAT included; budgets, what was rejected and drafts are on neither side. Balances are
-- told apart by type, status, cost centre and cost unit too: they are added up.
WITH booked AS (
	SELECT t.{scope} AS scope, t.GLAccount AS account, coalesce(t.FinancialYear, 0) AS year, coalesce(t.FinancialPeriod, 0) AS period,
		sum(t.AmountDC::DECIMAL(18, 4)) AS amount
	FROM {table} t
	WHERE t._deleted_at IS NULL AND t.Type IS DISTINCT FROM 3000 AND t.Status IS DISTINCT FROM 5 AND t.Status IS DISTINCT FROM 10
	GROUP BY ALL
), reported AS (
	SELECT r.{otherscope} AS scope, r.GLAccount AS account, coalesce(r.ReportingYear, 0) AS year, coalesce(r.ReportingPeriod, 0) AS period,
		sum(r.Amount::DECIMAL(18, 4)) AS amount
	FROM {other} r
	WHERE r._deleted_at IS NULL AND r.Type IS DISTINCT FROM 3000 AND r.Status IS DISTINCT FROM 5 AND r.Status IS DISTINCT FROM 10
	GROUP BY ALL
), codes AS (
	SELECT r.{otherscope} AS scope, r.GLAccount AS account, max(trim(r.GLAccountCode)) AS code FROM {other} r GROUP BY ALL
)
SELECT coalesce(b.scope, r.scope)::VARCHAR, count(*)::BIGINT, array_to_string(min(format('{}, {}-{:02d}: {} here, {} at the source',
	coalesce(c.code, b.account::VARCHAR, 'no account'), coalesce(b.year, r.year), coalesce(b.period, r.period),
	round(coalesce(b.amount, 0), 2)::DECIMAL(18, 2)::VARCHAR, round(coalesce(r.amount, 0), 2)::DECIMAL(18, 2)::VARCHAR), 3), '; ')
FROM booked b FULL JOIN reported r
ON b.scope = r.scope AND b.account IS NOT DISTINCT FROM r.account AND b.year = r.year AND b.period = r.period
LEFT JOIN codes c ON c.scope = coalesce(b.scope, r.scope) AND c.account = coalesce(b.account, r.account)
WHERE round(coalesce(b.amount, 0), 2) <> round(coalesce(r.amount, 0), 2)
GROUP BY 1

-- The trial balance of every period: per account what it opened with, what was booked in debit and credit, and what
-- it closed with, debit positive. Accounts of the profit and loss begin each financial year at zero; what earlier
-- years left there is one row without an account, "Result of earlier years", for as long as nobody has booked it to
-- equity. So opening_balance, movement and closing_balance each add up to zero per division and period. movement is
-- what financial/ReportingBalance says of the account and period; movement_open is the part of it that Exact has
-- not processed yet. Where not all of the history has been read (history_complete is false) nobody can know the balances:
-- they are NULL, and the movements are those of the entries that were read.
--
-- needs analytics.gl_transactions
-- needs analytics.divisions
-- needs analytics.labels
-- needs financial.GLAccounts: ID UUID, BalanceType VARCHAR, Type INTEGER
WITH moves AS (
    SELECT division_code,
           coalesce(financial_year, 0) AS financial_year,
           coalesce(financial_period, 0) AS financial_period,
           coalesce(gl_account_id, '00000000-0000-0000-0000-000000000000') AS gl_account_id,
           sum(debit) AS debit,
           sum(credit) AS credit,
           sum(amount) AS movement,
           coalesce(sum(amount) FILTER (WHERE status = 20), 0) AS movement_open,
           max(gl_account_code) AS gl_account_code,
           max(gl_account_code_padded) AS gl_account_code_padded,
           max(gl_account_description) AS gl_account_description,
           max(gl_account_type) AS gl_account_type,
           max(balance_type) AS balance_type,
           max(balance_side) AS balance_side,
           bool_and(history_complete) AS history_complete
    FROM {analytics.gl_transactions}
    GROUP BY ALL
), accounts AS (
    SELECT division_code, gl_account_id,
           max(gl_account_code) AS gl_account_code,
           max(gl_account_code_padded) AS gl_account_code_padded,
           max(gl_account_description) AS gl_account_description,
           max(gl_account_type) AS gl_account_type,
           max(balance_type) AS balance_type,
           max(balance_side) AS balance_side,
           min((financial_year, financial_period)) AS first_period
    FROM moves
    GROUP BY ALL
), periods AS (
    SELECT division_code, financial_year, financial_period,
           bool_and(bool_and(history_complete)) OVER (PARTITION BY division_code) AS history_complete
    FROM moves
    GROUP BY division_code, financial_year, financial_period
), closings AS (
    SELECT p.division_code, p.financial_year, p.financial_period, p.history_complete,
           a.gl_account_id, a.gl_account_code, a.gl_account_code_padded, a.gl_account_description,
           a.gl_account_type, a.balance_type, a.balance_side,
           coalesce(m.debit, 0) AS debit,
           coalesce(m.credit, 0) AS credit,
           coalesce(m.movement, 0) AS movement,
           coalesce(m.movement_open, 0) AS movement_open,
           sum(coalesce(m.movement, 0)) OVER (
               PARTITION BY p.division_code, a.gl_account_id, CASE WHEN a.balance_type = 'W' THEN p.financial_year ELSE 0 END
               ORDER BY p.financial_year, p.financial_period) AS closing_balance
    FROM periods p
    JOIN accounts a ON a.division_code = p.division_code AND (p.financial_year, p.financial_period) >= a.first_period
    LEFT JOIN moves m ON m.division_code = p.division_code AND m.financial_year = p.financial_year
        AND m.financial_period = p.financial_period AND m.gl_account_id = a.gl_account_id
), results AS (
    SELECT division_code, financial_year, sum(movement) AS result
    FROM moves
    WHERE balance_type = 'W'
    GROUP BY ALL
), lines AS (
    SELECT * FROM closings
    WHERE debit <> 0 OR credit <> 0 OR closing_balance <> 0 OR closing_balance - movement <> 0
    UNION ALL
    SELECT p.division_code, p.financial_year, p.financial_period, p.history_complete,
           NULL, NULL, NULL, 'Result of earlier years / Resultaat voorgaande jaren', NULL, 'B', 'C',
           0, 0, 0, 0, sum(r.result)
    FROM periods p
    JOIN results r ON r.division_code = p.division_code AND r.financial_year < p.financial_year
    GROUP BY ALL
    HAVING sum(r.result) <> 0
)
SELECT l.division_code,
       d.division_name,
       d.currency,
       l.financial_year,
       l.financial_period,
       l.gl_account_id,
       l.gl_account_code,
       l.gl_account_code_padded,
       l.gl_account_description,
       l.gl_account_type,
       a.english AS gl_account_type_en,
       a.dutch AS gl_account_type_nl,
       l.balance_type,
       l.balance_side,
       CASE WHEN l.history_complete THEN l.closing_balance - l.movement END AS opening_balance,
       l.debit,
       l.credit,
       l.movement,
       l.movement_open,
       CASE WHEN l.history_complete THEN l.closing_balance END AS closing_balance,
       l.history_complete
FROM lines l
LEFT JOIN {analytics.divisions} d ON d.division_code = l.division_code
LEFT JOIN {analytics.labels} a ON a.kind = 'gl account type' AND a.code = l.gl_account_type

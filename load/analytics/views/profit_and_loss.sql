-- Profit and loss per division, year, period and account. Income is positive and costs are negative, so that any sum
-- is a result. The entries with which Exact closes a year (types 310 to 328), which move the result to the balance
-- sheet and would make every closed year zero, are left out. Open entries are in. category groups the accounts by the
-- type that each has in Exact: an account of type 90, General, is in "other".
--
-- needs analytics.gl_transactions
-- needs analytics.labels
-- needs financial.GLAccounts: ID UUID, BalanceType VARCHAR, Type INTEGER
WITH sums AS (
    SELECT division_code,
           division_name,
           currency,
           financial_year,
           financial_period,
           gl_account_id,
           gl_account_code,
           gl_account_code_padded,
           gl_account_description,
           gl_account_type,
           gl_account_type_en,
           gl_account_type_nl,
           CASE WHEN gl_account_type = 110 THEN 1
                WHEN gl_account_type = 111 THEN 2
                WHEN gl_account_type IN (125, 126) THEN 3
                WHEN gl_account_type = 122 THEN 4
                WHEN gl_account_type IN (120, 121, 123) THEN 5
                WHEN gl_account_type = 160 THEN 6
                WHEN gl_account_type IN (130, 140) THEN 7
                WHEN gl_account_type IN (100, 150) THEN 8
                ELSE 9 END AS category_order,
           -sum(amount) AS amount,
           history_complete
    FROM {analytics.gl_transactions}
    WHERE balance_type = 'W' AND coalesce(type, 0) NOT BETWEEN 310 AND 328
    GROUP BY ALL
)
SELECT s.division_code,
       s.division_name,
       s.currency,
       s.financial_year,
       s.financial_period,
       s.category_order,
       c.english AS category_en,
       c.dutch AS category_nl,
       s.gl_account_id,
       s.gl_account_code,
       s.gl_account_code_padded,
       s.gl_account_description,
       s.gl_account_type,
       s.gl_account_type_en,
       s.gl_account_type_nl,
       s.amount,
       s.history_complete
FROM sums s
LEFT JOIN {analytics.labels} c ON c.kind = 'profit and loss category' AND c.code = s.category_order

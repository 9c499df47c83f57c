-- Revenue per division, period and customer, from the ledger: what is booked on revenue accounts (type 110), income
-- positive, credit notes and discounts on such accounts taken off, without VAT, in the currency of the division.
-- The total of a period equals the category "Revenue" of profit_and_loss; what has no customer is in a row without one.
--
-- needs analytics.gl_transactions
-- needs financial.GLAccounts: ID UUID, BalanceType VARCHAR, Type INTEGER
-- wants crm.Accounts: ID UUID, Code VARCHAR, Name VARCHAR, City VARCHAR, Country VARCHAR
SELECT t.division_code,
       t.division_name,
       t.currency,
       t.financial_year,
       t.financial_period,
       t.account_id AS customer_id,
       trim(coalesce(max(a.Code), max(t.account_code_padded))) AS customer_code,
       coalesce(max(a.Code), max(t.account_code_padded)) AS customer_code_padded,
       coalesce(max(a.Name), max(t.account_name)) AS customer_name,
       max(a.City) AS city,
       trim(max(a.Country)) AS country,
       count(DISTINCT t.entry_id) AS entries,
       -sum(t.amount) AS amount,
       t.history_complete
FROM {analytics.gl_transactions} t
LEFT JOIN {crm.Accounts} a ON a._division = t.division_code AND a.ID = t.account_id
WHERE t.gl_account_type = 110 AND t.balance_type = 'W' AND coalesce(t.type, 0) NOT BETWEEN 310 AND 328
GROUP BY t.division_code, t.division_name, t.currency, t.financial_year, t.financial_period, t.account_id, t.history_complete

-- Money at hand: per account for cash, banks, credit cards and payment services (types 10, 12, 14, 16) and per day on
-- which anything was booked, what came in, what went out, and the balance at the end of the day, overdrawn negative, in the
-- currency of the division. The last row of an account is what it stands at. It is what the books say, open entries
-- included, not what the bank says: statements that are not booked are not in. An opening balance that was booked counts as
-- received, or as paid where it was overdrawn. Divisions of which not all of the
-- history was read are left out.
--
-- needs analytics.gl_transactions
-- needs financial.GLAccounts: ID UUID, BalanceType VARCHAR, Type INTEGER
SELECT division_code,
       division_name,
       currency,
       gl_account_id,
       gl_account_code,
       gl_account_code_padded,
       gl_account_description,
       gl_account_type,
       gl_account_type_en,
       gl_account_type_nl,
       entry_date AS date,
       sum(debit) AS received,
       sum(credit) AS paid,
       sum(sum(amount)) OVER (PARTITION BY division_code, gl_account_id ORDER BY entry_date) AS balance,
       entry_date = max(entry_date) OVER (PARTITION BY division_code, gl_account_id) AS is_last
FROM {analytics.gl_transactions}
WHERE gl_account_type IN (10, 12, 14, 16) AND history_complete
GROUP BY division_code, division_name, currency, gl_account_id, gl_account_code, gl_account_code_padded, gl_account_description,
         gl_account_type, gl_account_type_en, gl_account_type_nl, entry_date

-- The balance sheet at the end of every period. amount has the sign of its side: assets are positive in debit;
-- liabilities, equity and result are positive in credit. So per division and period the assets equal the sum of the
-- three others, and balance, which is debit positive everywhere, adds up to zero. An account is placed by its type in
-- Exact (debtors, banks and fixed assets with their depreciation are assets, whatever they stand at; nothing is
-- moved to the other side because its sign turned); types that say nothing (VAT, credit card, General) go by the side
-- that the account itself names. The result is in two rows without an account: of the year, and of earlier years
-- while it has not been booked to equity. Divisions of which not all of the history was read are left out.
--
-- needs analytics.trial_balance
-- needs analytics.labels
WITH placed AS (
    SELECT division_code, division_name, currency, financial_year, financial_period,
           CASE WHEN gl_account_id IS NULL THEN 4
                WHEN gl_account_type IN (50, 52) THEN 3
                WHEN gl_account_type IN (10, 12, 16, 20, 26, 30, 32, 35, 40) THEN 1
                WHEN gl_account_type IN (21, 22, 25, 27, 29, 55, 60, 100) THEN 2
                WHEN balance_side = 'C' THEN 2
                ELSE 1 END AS section_order,
           gl_account_id, gl_account_code, gl_account_code_padded, gl_account_description,
           gl_account_type, gl_account_type_en, gl_account_type_nl,
           closing_balance AS balance
    FROM {analytics.trial_balance}
    WHERE history_complete AND balance_type IS DISTINCT FROM 'W'
    UNION ALL
    SELECT division_code, division_name, currency, financial_year, financial_period,
           4, NULL, NULL, NULL, 'Result of the year / Resultaat boekjaar', NULL, NULL, NULL, sum(closing_balance)
    FROM {analytics.trial_balance}
    WHERE history_complete AND balance_type = 'W'
    GROUP BY ALL
)
SELECT p.division_code,
       p.division_name,
       p.currency,
       p.financial_year,
       p.financial_period,
       p.section_order,
       s.english AS section_en,
       s.dutch AS section_nl,
       p.gl_account_id,
       p.gl_account_code,
       p.gl_account_code_padded,
       p.gl_account_description,
       p.gl_account_type,
       p.gl_account_type_en,
       p.gl_account_type_nl,
       CASE WHEN p.section_order = 1 THEN p.balance ELSE -p.balance END AS amount,
       p.balance
FROM placed p
LEFT JOIN {analytics.labels} s ON s.kind = 'balance sheet section' AND s.code = p.section_order
WHERE p.balance <> 0

-- VAT per division, year, period, kind of entry and VAT code, from the ledger. base_amount is what was booked with
-- that code on other than VAT accounts; vat_due is what was booked on accounts for VAT to pay, vat_deductible on accounts
-- for VAT to claim, and vat_balance, the one less the other, is what the period adds to what is owed to the tax
-- office. side says where it comes from: 'sales', 'purchases', 'return' (the entry that books a VAT return, which takes
-- off what is owed) and 'other' (bank, memorial). Sales and purchases are positive as long as they are not credited. The
-- vat_balance of all rows of a period is the movement of the VAT accounts (type 24) in trial_balance, so nothing is
-- missing; what was booked on them without a code is in a row without one. It is the ledger's view: by the period of
-- the entry, and without the corrections and the rounding of the return itself.
--
-- needs analytics.gl_transactions
-- needs analytics.labels
-- needs financial.GLAccounts: ID UUID, BalanceType VARCHAR, Type INTEGER
-- wants vat.VATCodes: Code VARCHAR, Description VARCHAR, Percentage DOUBLE, GLToPay UUID, GLToClaim UUID
WITH codes AS (
    SELECT _division, trim(Code) AS code, max(Description) AS description, max(Percentage) AS percentage
    FROM {vat.VATCodes}
    GROUP BY ALL
), accounts AS (
    SELECT _division, gl_account_id, bool_or(pays) AND NOT bool_or(claims) AS pays, bool_or(claims) AND NOT bool_or(pays) AS claims
    FROM (SELECT _division, GLToPay AS gl_account_id, true AS pays, false AS claims FROM {vat.VATCodes}
          UNION ALL
          SELECT _division, GLToClaim, false, true FROM {vat.VATCodes})
    WHERE gl_account_id IS NOT NULL
    GROUP BY ALL
), lines AS (
    SELECT t.division_code, t.division_name, t.currency, t.financial_year, t.financial_period, t.history_complete,
           CASE WHEN t.type IN (20, 21, 22) THEN 1 WHEN t.type IN (30, 31, 32) THEN 2 WHEN t.type = 50 THEN 3 ELSE 4 END AS side_order,
           t.vat_code, t.vat_code_padded, t.vat_description, t.vat_percentage,
           t.amount,
           coalesce(t.gl_account_type = 24, false) OR (t.line_kind = 'vat' AND t.balance_type = 'B') AS is_vat,
           t.line_kind <> 'header' AND t.vat_code <> '' AS has_base,
           coalesce(a.claims, false) OR (NOT coalesce(a.pays, false) AND t.type IN (30, 31, 32)) AS claims
    FROM {analytics.gl_transactions} t
    LEFT JOIN accounts a ON a._division = t.division_code AND a.gl_account_id = t.gl_account_id
)
SELECT l.division_code,
       l.division_name,
       l.currency,
       l.financial_year,
       l.financial_period,
       l.side_order,
       s.english AS side_en,
       s.dutch AS side_nl,
       nullif(l.vat_code, '') AS vat_code,
       max(l.vat_code_padded) AS vat_code_padded,
       coalesce(max(c.description), max(l.vat_description)) AS vat_description,
       round(coalesce(max(c.percentage), max(l.vat_percentage)), 6) AS vat_percentage,
       coalesce(sum(CASE WHEN l.side_order = 2 THEN l.amount ELSE -l.amount END) FILTER (WHERE l.has_base AND NOT l.is_vat), 0) AS base_amount,
       coalesce(-sum(l.amount) FILTER (WHERE l.is_vat AND NOT l.claims), 0) AS vat_due,
       coalesce(sum(l.amount) FILTER (WHERE l.is_vat AND l.claims), 0) AS vat_deductible,
       coalesce(-sum(l.amount) FILTER (WHERE l.is_vat), 0) AS vat_balance,
       l.history_complete
FROM lines l
LEFT JOIN codes c ON c._division = l.division_code AND c.code = l.vat_code
LEFT JOIN {analytics.labels} s ON s.kind = 'vat side' AND s.code = l.side_order
WHERE l.is_vat OR l.has_base
GROUP BY l.division_code, l.division_name, l.currency, l.financial_year, l.financial_period, l.side_order, s.english, s.dutch,
         nullif(l.vat_code, ''), l.history_complete

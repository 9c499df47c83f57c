-- The general ledger, line by line, ready to be summed: amount is in the currency of the division, debit positive
-- and credit negative, and the lines of an entry always add up to zero. line_kind tells the lines of an entry
-- apart: 'header' is Exact's line 0, the total against which the entry is booked (the debtor, the creditor, the
-- bank); 'vat' is line 9999, the VAT that Exact worked out; 'line' are all others. None of them may be left out of
-- a balance; for turnover or costs take the accounts that you mean, not the kinds of lines. Entries that are open
-- are in, as in Exact's own reports "after entry"; budgets, drafts and what was rejected are no entries and left out.
--
-- needs analytics.divisions
-- needs analytics.labels
-- needs analytics.completeness
-- needs financial.TransactionLines: ID UUID, EntryID UUID, EntryNumber INTEGER, LineNumber INTEGER, Date TIMESTAMP,
--   FinancialYear INTEGER, FinancialPeriod INTEGER, Type INTEGER, Status INTEGER, AmountDC DECIMAL(18,4), GLAccount UUID
-- wants financial.TransactionLines: GLAccountCode VARCHAR, GLAccountDescription VARCHAR, JournalCode VARCHAR,
--   JournalDescription VARCHAR, Account UUID, AccountCode VARCHAR, AccountName VARCHAR, AmountFC DECIMAL(18,4), Currency VARCHAR,
--   ExchangeRate DOUBLE, VATCode VARCHAR, VATCodeDescription VARCHAR, VATPercentage DOUBLE, Item UUID, ItemCode VARCHAR,
--   ItemDescription VARCHAR, Quantity DOUBLE, CostCenter VARCHAR, CostCenterDescription VARCHAR, CostUnit VARCHAR,
--   CostUnitDescription VARCHAR, ProjectCode VARCHAR, ProjectDescription VARCHAR, Description VARCHAR, InvoiceNumber INTEGER,
--   YourRef VARCHAR, PaymentReference VARCHAR, DueDate TIMESTAMP, Created TIMESTAMP, Modified TIMESTAMP
-- wants financial.GLAccounts: ID UUID, Code VARCHAR, Description VARCHAR, Type INTEGER, BalanceType VARCHAR, BalanceSide VARCHAR
SELECT l._division AS division_code,
       d.division_name,
       d.currency,
       l.FinancialYear AS financial_year,
       l.FinancialPeriod AS financial_period,
       CAST(l.Date AS DATE) AS entry_date,
       trim(l.JournalCode) AS journal_code,
       l.JournalDescription AS journal_description,
       l.EntryNumber AS entry_number,
       l.EntryID AS entry_id,
       l.LineNumber AS line_number,
       CASE l.LineNumber WHEN 0 THEN 'header' WHEN 9999 THEN 'vat' ELSE 'line' END AS line_kind,
       l.ID AS line_id,
       l.Type AS type,
       t.english AS type_en,
       t.dutch AS type_nl,
       l.Status AS status,
       s.english AS status_en,
       s.dutch AS status_nl,
       l.GLAccount AS gl_account_id,
       trim(coalesce(g.Code, l.GLAccountCode)) AS gl_account_code,
       coalesce(g.Code, l.GLAccountCode) AS gl_account_code_padded,
       coalesce(g.Description, l.GLAccountDescription) AS gl_account_description,
       g.Type AS gl_account_type,
       a.english AS gl_account_type_en,
       a.dutch AS gl_account_type_nl,
       g.BalanceType AS balance_type,
       g.BalanceSide AS balance_side,
       l.AmountDC AS amount,
       CASE WHEN l.AmountDC > 0 THEN l.AmountDC ELSE 0 END AS debit,
       CASE WHEN l.AmountDC < 0 THEN -l.AmountDC ELSE 0 END AS credit,
       trim(l.Currency) AS currency_fc,
       l.AmountFC AS amount_fc,
       l.ExchangeRate AS exchange_rate,
       l.Account AS account_id,
       trim(l.AccountCode) AS account_code,
       l.AccountCode AS account_code_padded,
       l.AccountName AS account_name,
       trim(l.VATCode) AS vat_code,
       l.VATCode AS vat_code_padded,
       l.VATCodeDescription AS vat_description,
       l.VATPercentage AS vat_percentage,
       l.Item AS item_id,
       trim(l.ItemCode) AS item_code,
       l.ItemDescription AS item_description,
       l.Quantity AS quantity,
       trim(l.CostCenter) AS cost_center,
       l.CostCenterDescription AS cost_center_description,
       trim(l.CostUnit) AS cost_unit,
       l.CostUnitDescription AS cost_unit_description,
       trim(l.ProjectCode) AS project_code,
       l.ProjectDescription AS project_description,
       l.Description AS description,
       l.InvoiceNumber AS invoice_number,
       l.YourRef AS your_ref,
       l.PaymentReference AS payment_reference,
       CAST(l.DueDate AS DATE) AS due_date,
       l.Created AS created,
       {utc l.Created} AS created_utc,
       l.Modified AS modified,
       {utc l.Modified} AS modified_utc,
       coalesce(c.history_complete, false) AND coalesce(k.history_complete, {missing financial.GLAccounts}) AS history_complete
FROM {financial.TransactionLines} l
LEFT JOIN {analytics.divisions} d ON d.division_code = l._division
LEFT JOIN {financial.GLAccounts} g ON g._division = l._division AND g.ID = l.GLAccount
LEFT JOIN {analytics.completeness} c ON c.division_code = l._division AND c.stream = 'financial/TransactionLines'
LEFT JOIN {analytics.completeness} k ON k.division_code = l._division AND k.stream = 'financial/GLAccounts'
LEFT JOIN {analytics.labels} t ON t.kind = 'entry type' AND t.code = l.Type
LEFT JOIN {analytics.labels} s ON s.kind = 'entry status' AND s.code = l.Status
LEFT JOIN {analytics.labels} a ON a.kind = 'gl account type' AND a.code = g.Type
WHERE l.Type IS DISTINCT FROM 3000 AND l.Status IS DISTINCT FROM 5 AND l.Status IS DISTINCT FROM 10

-- What is owed to suppliers, item by item, by how long it is overdue: sum by account_name for the usual list. amount is in
-- the currency of the division and amount_fc in that of the invoice; both are positive when the company owes, negative
-- for credit notes and for money paid that is not matched yet. Each item is in exactly one of not_due and the four
-- overdue columns. What is paid and matched is out; what is selected for payment or paid and not matched is still
-- in. Items are aged as of today, or as of any day: SET VARIABLE as_of = DATE '2026-06-30' shows what was open then, by invoice
-- date and by the date on which each item was closed.
--
-- needs analytics.divisions
-- needs analytics.completeness
-- needs analytics.labels
-- needs cashflow.Payments: ID UUID, AmountDC DECIMAL(18,4), Status INTEGER, DueDate TIMESTAMP, InvoiceDate TIMESTAMP,
--   TransactionType INTEGER
-- wants cashflow.Payments: Account UUID, AccountCode VARCHAR, AccountName VARCHAR, AmountFC DECIMAL(18,4), Currency VARCHAR,
--   EndDate TIMESTAMP, LastPaymentDate TIMESTAMP, EntryDate TIMESTAMP, EntryNumber INTEGER, InvoiceNumber INTEGER, YourRef VARCHAR, Description VARCHAR, PaymentCondition VARCHAR,
--   PaymentConditionDescription VARCHAR, GLAccount UUID, GLAccountCode VARCHAR, TransactionEntryID UUID, Journal VARCHAR
WITH direction AS (
    SELECT coalesce(nullif(sign(sum(sign(AmountDC))), 0), 1) AS sign FROM {cashflow.Payments} WHERE TransactionType = 30
), items AS (
    SELECT r.*, direction.sign,
           coalesce(CAST(getvariable('as_of') AS DATE), current_date) AS as_of,
           CAST(coalesce(r.InvoiceDate, r.EntryDate) AS DATE) AS begins,
           CAST(coalesce(r.EndDate, r.LastPaymentDate) AS DATE) AS ends
    FROM {cashflow.Payments} r
    CROSS JOIN direction
), aged AS (
    SELECT *,
           sign * AmountDC AS amount,
           sign * AmountFC AS amount_fc,
           greatest(as_of - coalesce(CAST(DueDate AS DATE), begins), 0) AS days_overdue
    FROM items
    WHERE CASE WHEN getvariable('as_of') IS NULL THEN coalesce(Status, 20) < 50
               ELSE begins <= as_of AND (coalesce(Status, 20) < 50 OR ends > as_of) END
)
SELECT i._division AS division_code,
       d.division_name,
       d.currency,
       i.as_of,
       i.ID AS item_id,
       i.Account AS account_id,
       trim(i.AccountCode) AS account_code,
       i.AccountCode AS account_code_padded,
       i.AccountName AS account_name,
       i.InvoiceNumber AS invoice_number,
       i.EntryNumber AS entry_number,
       i.TransactionEntryID AS entry_id,
       trim(i.Journal) AS journal_code,
       i.YourRef AS your_ref,
       i.Description AS description,
       CAST(i.InvoiceDate AS DATE) AS invoice_date,
       CAST(i.DueDate AS DATE) AS due_date,
       trim(i.PaymentCondition) AS payment_condition,
       i.PaymentConditionDescription AS payment_condition_description,
       i.Status AS status,
       s.english AS status_en,
       s.dutch AS status_nl,
       i.GLAccount AS gl_account_id,
       trim(i.GLAccountCode) AS gl_account_code,
       trim(i.Currency) AS currency_fc,
       i.amount_fc,
       i.amount,
       i.days_overdue,
       b.code AS bucket_order,
       b.english AS bucket_en,
       b.dutch AS bucket_nl,
       CASE WHEN b.code = 0 THEN i.amount ELSE 0 END AS not_due,
       CASE WHEN b.code = 1 THEN i.amount ELSE 0 END AS overdue_1_30,
       CASE WHEN b.code = 2 THEN i.amount ELSE 0 END AS overdue_31_60,
       CASE WHEN b.code = 3 THEN i.amount ELSE 0 END AS overdue_61_90,
       CASE WHEN b.code = 4 THEN i.amount ELSE 0 END AS overdue_over_90,
       coalesce(c.history_complete, false) AS history_complete
FROM aged i
LEFT JOIN {analytics.divisions} d ON d.division_code = i._division
LEFT JOIN {analytics.completeness} c ON c.division_code = i._division AND c.stream = 'cashflow/Payments'
LEFT JOIN {analytics.labels} s ON s.kind = 'payment status' AND s.code = i.Status
LEFT JOIN {analytics.labels} b ON b.kind = 'aging bucket'
    AND b.code = CASE WHEN i.days_overdue = 0 THEN 0 WHEN i.days_overdue <= 30 THEN 1 WHEN i.days_overdue <= 60 THEN 2
                      WHEN i.days_overdue <= 90 THEN 3 ELSE 4 END

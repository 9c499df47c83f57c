-- Sales invoices, one row each: the headers alone, without the lines that Exact's sync feed mixes in with them. Amounts
-- are positive for what was invoiced and negative for credit notes, whichever sign the feed has: amount is in the
-- currency of the division and includes VAT, amount_fc is in the currency of the invoice. An invoice is in the ledger
-- once it is processed (status 50).
--
-- needs analytics.divisions
-- needs analytics.completeness
-- needs analytics.labels
-- needs salesinvoice.SalesInvoicesSync: InvoiceID UUID, LineNumber INTEGER, AmountDC DECIMAL(18,4), Type INTEGER, Status INTEGER
-- wants salesinvoice.SalesInvoicesSync: InvoiceNumber INTEGER, InvoiceDate TIMESTAMP, OrderDate TIMESTAMP,
--   DueDate TIMESTAMP, OrderNumber INTEGER, Currency VARCHAR, AmountFC DECIMAL(18,4), AmountFCExclVat DECIMAL(18,4),
--   VATAmountDC DECIMAL(18,4), VATAmountFC DECIMAL(18,4), AmountDiscount DECIMAL(18,4), InvoiceTo UUID, InvoiceToName VARCHAR,
--   OrderedBy UUID, OrderedByName VARCHAR, DeliverTo UUID, DeliverToName VARCHAR, Journal VARCHAR, JournalDescription VARCHAR,
--   PaymentCondition VARCHAR, PaymentConditionDescription VARCHAR, PaymentReference VARCHAR, Salesperson UUID,
--   SalespersonFullName VARCHAR, Description VARCHAR, YourRef VARCHAR, Created TIMESTAMP, Modified TIMESTAMP
-- instead salesinvoice.SalesInvoicesSync: salesinvoice.SalesInvoices, LineNumber 0
-- wants crm.Accounts: ID UUID, Code VARCHAR
WITH direction AS (
    SELECT coalesce(nullif(sign(sum(sign(AmountDC))), 0), 1) AS sign
    FROM {salesinvoice.SalesInvoicesSync}
    WHERE LineNumber = 0 AND Type IN (8020, 8023)
)
SELECT h._division AS division_code,
       d.division_name,
       d.currency,
       h.InvoiceID AS invoice_id,
       h.InvoiceNumber AS invoice_number,
       h.Type AS type,
       t.english AS type_en,
       t.dutch AS type_nl,
       h.Status AS status,
       s.english AS status_en,
       s.dutch AS status_nl,
       CAST(h.InvoiceDate AS DATE) AS invoice_date,
       CAST(h.DueDate AS DATE) AS due_date,
       CAST(h.OrderDate AS DATE) AS order_date,
       h.OrderNumber AS order_number,
       h.InvoiceTo AS customer_id,
       trim(a.Code) AS customer_code,
       a.Code AS customer_code_padded,
       h.InvoiceToName AS customer_name,
       h.OrderedBy AS ordered_by_id,
       h.OrderedByName AS ordered_by_name,
       h.DeliverTo AS deliver_to_id,
       h.DeliverToName AS deliver_to_name,
       trim(h.Journal) AS journal_code,
       h.JournalDescription AS journal_description,
       trim(h.PaymentCondition) AS payment_condition,
       h.PaymentConditionDescription AS payment_condition_description,
       h.PaymentReference AS payment_reference,
       h.Salesperson AS salesperson_id,
       h.SalespersonFullName AS salesperson_name,
       h.Description AS description,
       h.YourRef AS your_ref,
       direction.sign * h.AmountDC AS amount,
       direction.sign * h.VATAmountDC AS vat_amount,
       trim(h.Currency) AS currency_fc,
       direction.sign * h.AmountFC AS amount_fc,
       direction.sign * h.AmountFCExclVat AS amount_fc_excl_vat,
       direction.sign * h.VATAmountFC AS vat_amount_fc,
       direction.sign * h.AmountDiscount AS discount_amount,
       h.Created AS created,
       {utc h.Created} AS created_utc,
       h.Modified AS modified,
       {utc h.Modified} AS modified_utc,
       coalesce(c.history_complete, false) AS history_complete
FROM {salesinvoice.SalesInvoicesSync} h
CROSS JOIN direction
LEFT JOIN {analytics.divisions} d ON d.division_code = h._division
LEFT JOIN {analytics.completeness} c ON c.division_code = h._division AND c.stream = {stream salesinvoice.SalesInvoicesSync}
LEFT JOIN {crm.Accounts} a ON a._division = h._division AND a.ID = h.InvoiceTo
LEFT JOIN {analytics.labels} t ON t.kind = 'invoice type' AND t.code = h.Type
LEFT JOIN {analytics.labels} s ON s.kind = 'invoice status' AND s.code = h.Status
WHERE h.LineNumber = 0

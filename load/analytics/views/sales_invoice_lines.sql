-- The lines of sales invoices, without the headers that Exact's sync feed mixes in with them; what is said of the
-- whole invoice comes from sales_invoice_headers. Amounts have no VAT in them, are positive for what was
-- invoiced and negative for what was credited, whichever sign the feed has.
--
-- needs analytics.sales_invoice_headers
-- needs analytics.completeness
-- needs salesinvoice.SalesInvoicesSync: ID UUID, InvoiceID UUID, LineNumber INTEGER, AmountDC DECIMAL(18,4)
-- wants salesinvoice.SalesInvoicesSync: Item UUID, ItemCode VARCHAR, ItemDescription VARCHAR, Description VARCHAR, Quantity DOUBLE,
--   UnitCode VARCHAR, UnitDescription VARCHAR, UnitPrice DOUBLE, NetPrice DOUBLE, Discount DOUBLE, AmountFC DECIMAL(18,4),
--   VATCode VARCHAR, VATCodeDescription VARCHAR, VATPercentage DOUBLE, VATAmountDC DECIMAL(18,4), VATAmountFC DECIMAL(18,4),
--   GLAccount UUID, GLAccountDescription VARCHAR, CostCenter VARCHAR, CostUnit VARCHAR, Project UUID, ProjectDescription VARCHAR,
--   SalesOrder UUID, SalesOrderNumber INTEGER, DeliveryDate TIMESTAMP
-- instead salesinvoice.SalesInvoicesSync: salesinvoice.SalesInvoiceLines
-- wants financial.GLAccounts: ID UUID, Code VARCHAR
WITH direction AS (
    SELECT coalesce(nullif(sign(sum(sign(l.AmountDC))), 0), 1) AS sign
    FROM {salesinvoice.SalesInvoicesSync} l
    JOIN {analytics.sales_invoice_headers} h ON h.division_code = l._division AND h.invoice_id = l.InvoiceID
    WHERE l.LineNumber IS DISTINCT FROM 0 AND h.type IN (8020, 8023)
)
SELECT l._division AS division_code,
       h.division_name,
       h.currency,
       l.InvoiceID AS invoice_id,
       h.invoice_number,
       h.invoice_date,
       h.type,
       h.type_en,
       h.type_nl,
       h.status,
       h.status_en,
       h.status_nl,
       h.customer_id,
       h.customer_code,
       h.customer_name,
       l.ID AS line_id,
       l.LineNumber AS line_number,
       l.Item AS item_id,
       trim(l.ItemCode) AS item_code,
       l.ItemDescription AS item_description,
       l.Description AS description,
       l.Quantity AS quantity,
       trim(l.UnitCode) AS unit,
       l.UnitDescription AS unit_description,
       l.UnitPrice AS unit_price,
       l.NetPrice AS net_price,
       l.Discount AS discount,
       direction.sign * l.AmountDC AS amount,
       direction.sign * l.VATAmountDC AS vat_amount,
       h.currency_fc,
       direction.sign * l.AmountFC AS amount_fc,
       direction.sign * l.VATAmountFC AS vat_amount_fc,
       trim(l.VATCode) AS vat_code,
       l.VATCode AS vat_code_padded,
       l.VATCodeDescription AS vat_description,
       l.VATPercentage AS vat_percentage,
       l.GLAccount AS gl_account_id,
       trim(g.Code) AS gl_account_code,
       l.GLAccountDescription AS gl_account_description,
       trim(l.CostCenter) AS cost_center,
       trim(l.CostUnit) AS cost_unit,
       l.Project AS project_id,
       l.ProjectDescription AS project_description,
       l.SalesOrder AS sales_order_id,
       l.SalesOrderNumber AS sales_order_number,
       CAST(l.DeliveryDate AS DATE) AS delivery_date,
       coalesce(c.history_complete, false) AS history_complete
FROM {salesinvoice.SalesInvoicesSync} l
CROSS JOIN direction
LEFT JOIN {analytics.sales_invoice_headers} h ON h.division_code = l._division AND h.invoice_id = l.InvoiceID
LEFT JOIN {analytics.completeness} c ON c.division_code = l._division AND c.stream = {stream salesinvoice.SalesInvoicesSync}
LEFT JOIN {financial.GLAccounts} g ON g._division = l._division AND g.ID = l.GLAccount
WHERE l.LineNumber IS DISTINCT FROM 0

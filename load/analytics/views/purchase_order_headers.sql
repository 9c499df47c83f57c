-- Purchase orders, one row each: the headers alone, without the lines that Exact's sync feed mixes in with them. amount is
-- in the currency of the division, amount_fc in that of the order. An order is a promise: it is not in the ledger.
--
-- needs analytics.divisions
-- needs analytics.completeness
-- needs analytics.labels
-- needs purchaseorder.PurchaseOrdersSync: PurchaseOrderID UUID, LineNumber INTEGER, OrderNumber INTEGER, AmountDC DECIMAL(18,4)
-- wants purchaseorder.PurchaseOrdersSync: OrderDate TIMESTAMP, ReceiptDate TIMESTAMP, OrderStatus INTEGER,
--   ReceiptStatus INTEGER, InvoiceStatus INTEGER, ApprovalStatus INTEGER, Supplier UUID, SupplierCode VARCHAR,
--   SupplierName VARCHAR, Currency VARCHAR, ExchangeRate DOUBLE, AmountFC DECIMAL(18,4), AmountFCExclVat DECIMAL(18,4),
--   VATAmount DECIMAL(18,4), WarehouseCode VARCHAR, WarehouseDescription VARCHAR, PurchaseAgentFullName VARCHAR,
--   PaymentCondition VARCHAR, PaymentConditionDescription VARCHAR, DropShipment BOOLEAN, SalesOrderNumber INTEGER, Source INTEGER,
--   Description VARCHAR, YourRef VARCHAR, Created TIMESTAMP, Modified TIMESTAMP
-- instead purchaseorder.PurchaseOrdersSync: purchaseorder.PurchaseOrders, LineNumber 0
SELECT h._division AS division_code,
       d.division_name,
       d.currency,
       h.PurchaseOrderID AS purchase_order_id,
       h.OrderNumber AS order_number,
       CAST(h.OrderDate AS DATE) AS order_date,
       CAST(h.ReceiptDate AS DATE) AS receipt_date,
       h.OrderStatus AS order_status,
       o.english AS order_status_en,
       o.dutch AS order_status_nl,
       h.ReceiptStatus AS receipt_status,
       r.english AS receipt_status_en,
       r.dutch AS receipt_status_nl,
       h.InvoiceStatus AS invoice_status,
       i.english AS invoice_status_en,
       i.dutch AS invoice_status_nl,
       h.ApprovalStatus AS approval_status,
       h.Source AS source,
       s.english AS source_en,
       s.dutch AS source_nl,
       h.Supplier AS supplier_id,
       trim(h.SupplierCode) AS supplier_code,
       h.SupplierCode AS supplier_code_padded,
       h.SupplierName AS supplier_name,
       h.AmountDC AS amount,
       trim(h.Currency) AS currency_fc,
       h.ExchangeRate AS exchange_rate,
       h.AmountFC AS amount_fc,
       h.AmountFCExclVat AS amount_fc_excl_vat,
       h.VATAmount AS vat_amount_fc,
       trim(h.WarehouseCode) AS warehouse_code,
       h.WarehouseDescription AS warehouse_description,
       h.PurchaseAgentFullName AS purchase_agent_name,
       trim(h.PaymentCondition) AS payment_condition,
       h.PaymentConditionDescription AS payment_condition_description,
       h.DropShipment AS drop_shipment,
       h.SalesOrderNumber AS sales_order_number,
       h.Description AS description,
       h.YourRef AS your_ref,
       h.Created AS created,
       {utc h.Created} AS created_utc,
       h.Modified AS modified,
       {utc h.Modified} AS modified_utc,
       coalesce(c.history_complete, false) AS history_complete
FROM {purchaseorder.PurchaseOrdersSync} h
LEFT JOIN {analytics.divisions} d ON d.division_code = h._division
LEFT JOIN {analytics.completeness} c ON c.division_code = h._division AND c.stream = {stream purchaseorder.PurchaseOrdersSync}
LEFT JOIN {analytics.labels} o ON o.kind = 'order status' AND o.code = h.OrderStatus
LEFT JOIN {analytics.labels} r ON r.kind = 'order status' AND r.code = h.ReceiptStatus
LEFT JOIN {analytics.labels} i ON i.kind = 'order status' AND i.code = h.InvoiceStatus
LEFT JOIN {analytics.labels} s ON s.kind = 'order source' AND s.code = h.Source
WHERE h.LineNumber = 0

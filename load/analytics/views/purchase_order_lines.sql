-- The lines of purchase orders, without the headers that Exact's sync feed mixes in with them; what is said of the whole
-- order comes from purchase_order_headers. open_quantity is what was ordered
-- and is still to come: nothing of an order that is complete or cancelled, or of which the receipt is.
--
-- needs analytics.purchase_order_headers
-- needs analytics.completeness
-- needs purchaseorder.PurchaseOrdersSync: ID UUID, PurchaseOrderID UUID, LineNumber INTEGER, Quantity DOUBLE
-- wants purchaseorder.PurchaseOrdersSync: AmountDC DECIMAL(18,4), AmountFC DECIMAL(18,4), VATAmount DECIMAL(18,4), Item UUID,
--   ItemCode VARCHAR, ItemDescription VARCHAR, SupplierItemCode VARCHAR, Description VARCHAR, ReceivedQuantity DOUBLE,
--   InvoicedQuantity DOUBLE, Unit VARCHAR, UnitDescription VARCHAR, UnitPrice DOUBLE, NetPrice DOUBLE, Discount DOUBLE,
--   VATCode VARCHAR, VATDescription VARCHAR, VATPercentage DOUBLE, ReceiptDate TIMESTAMP, ProjectCode VARCHAR,
--   ProjectDescription VARCHAR, SalesOrderNumber INTEGER
-- instead purchaseorder.PurchaseOrdersSync: purchaseorder.PurchaseOrderLines
SELECT l._division AS division_code,
       h.division_name,
       h.currency,
       l.PurchaseOrderID AS purchase_order_id,
       h.order_number,
       h.order_date,
       h.order_status,
       h.order_status_en,
       h.order_status_nl,
       h.supplier_id,
       h.supplier_code,
       h.supplier_name,
       l.ID AS line_id,
       l.LineNumber AS line_number,
       l.Item AS item_id,
       trim(l.ItemCode) AS item_code,
       l.ItemDescription AS item_description,
       l.SupplierItemCode AS supplier_item_code,
       l.Description AS description,
       l.Quantity AS quantity,
       l.ReceivedQuantity AS received_quantity,
       l.InvoicedQuantity AS invoiced_quantity,
       CASE WHEN h.order_status IN (30, 40) OR h.receipt_status IN (30, 40) THEN 0
            WHEN l.Quantity < 0 THEN least(l.Quantity - coalesce(l.ReceivedQuantity, 0), 0)
            ELSE greatest(l.Quantity - coalesce(l.ReceivedQuantity, 0), 0) END AS open_quantity,
       trim(l.Unit) AS unit,
       l.UnitDescription AS unit_description,
       l.UnitPrice AS unit_price,
       l.NetPrice AS net_price,
       l.Discount AS discount,
       l.AmountDC AS amount,
       h.currency_fc,
       l.AmountFC AS amount_fc,
       l.VATAmount AS vat_amount_fc,
       trim(l.VATCode) AS vat_code,
       l.VATCode AS vat_code_padded,
       l.VATDescription AS vat_description,
       l.VATPercentage AS vat_percentage,
       CAST(l.ReceiptDate AS DATE) AS receipt_date,
       trim(l.ProjectCode) AS project_code,
       l.ProjectDescription AS project_description,
       l.SalesOrderNumber AS sales_order_number,
       coalesce(c.history_complete, false) AS history_complete
FROM {purchaseorder.PurchaseOrdersSync} l
LEFT JOIN {analytics.purchase_order_headers} h ON h.division_code = l._division AND h.purchase_order_id = l.PurchaseOrderID
LEFT JOIN {analytics.completeness} c ON c.division_code = l._division AND c.stream = {stream purchaseorder.PurchaseOrdersSync}
WHERE l.LineNumber IS DISTINCT FROM 0

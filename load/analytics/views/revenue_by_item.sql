-- Revenue per division, period and item, from the ledger: what is booked on revenue accounts (type 110), income
-- positive, without VAT, in the currency of the division. The total of a period equals the category "Revenue" of
-- profit_and_loss; what was sold without an item is in a row without one. quantity counts what was sold as positive and what was
-- credited as negative, in the units in which it was sold.
--
-- needs analytics.gl_transactions
-- needs financial.GLAccounts: ID UUID, BalanceType VARCHAR, Type INTEGER
-- wants logistics.Items: ID UUID, Code VARCHAR, Description VARCHAR, ItemGroupCode VARCHAR, ItemGroupDescription VARCHAR
SELECT t.division_code,
       t.division_name,
       t.currency,
       t.financial_year,
       t.financial_period,
       t.item_id,
       trim(coalesce(max(i.Code), max(t.item_code))) AS item_code,
       coalesce(max(i.Description), max(t.item_description)) AS item_description,
       trim(max(i.ItemGroupCode)) AS item_group_code,
       max(i.ItemGroupDescription) AS item_group_description,
       count(DISTINCT t.entry_id) AS entries,
       sum(CASE WHEN t.amount > 0 THEN -abs(t.quantity) ELSE abs(t.quantity) END) AS quantity,
       -sum(t.amount) AS amount,
       t.history_complete
FROM {analytics.gl_transactions} t
LEFT JOIN {logistics.Items} i ON i._division = t.division_code AND i.ID = t.item_id
WHERE t.gl_account_type = 110 AND t.balance_type = 'W' AND coalesce(t.type, 0) NOT BETWEEN 310 AND 328
GROUP BY t.division_code, t.division_name, t.currency, t.financial_year, t.financial_period, t.item_id, t.history_complete

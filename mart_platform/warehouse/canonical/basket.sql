-- A basket that were two visits would have two rows, and break the key.
SELECT
    basket_id,
    household_id,
    store_id,
    sold_at_utc,
    sold_at_local,
    sold_on,
    retail_week,
    count(*)                                   AS lines,
    sum(net_sales)::DECIMAL(18,2)              AS net_sales,
    sum(loyalty_discount)::DECIMAL(18,2)       AS loyalty_discount,
    sum(manufacturer_coupons)::DECIMAL(18,2)   AS manufacturer_coupons,
    sum(cash_from_customers)::DECIMAL(18,2)    AS cash_from_customers
FROM canonical.sales_line
GROUP BY basket_id, household_id, store_id, sold_at_utc, sold_at_local, sold_on, retail_week
ORDER BY sold_on, basket_id

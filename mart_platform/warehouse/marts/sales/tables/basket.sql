-- A basket has one household, store and time, so grouping by them adds no rows.
SELECT
    basket_id,
    date_key,
    household_key,
    store_key,
    sold_on,
    sold_at_local,
    extract(hour FROM sold_at_local)::INTEGER        AS sold_hour,
    count(*)                                         AS lines,
    sum(net_sales)::DECIMAL(18,2)                    AS net_sales,
    sum(loyalty_discount)::DECIMAL(18,2)             AS loyalty_discount,
    sum(manufacturer_coupons)::DECIMAL(18,2)         AS manufacturer_coupons,
    sum(cash_from_customers)::DECIMAL(18,2)          AS cash_from_customers
FROM sales.fact_sales_line
GROUP BY basket_id, date_key, household_key, store_key, sold_on, sold_at_local
ORDER BY sold_on, basket_id

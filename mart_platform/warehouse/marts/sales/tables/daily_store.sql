SELECT
    sold_on,
    store_key,
    count(*)                                     AS baskets,
    count(DISTINCT household_key)                AS households,
    sum(lines)::BIGINT                           AS lines,
    sum(net_sales)::DECIMAL(18,2)                AS net_sales,
    sum(loyalty_discount)::DECIMAL(18,2)         AS loyalty_discount,
    sum(manufacturer_coupons)::DECIMAL(18,2)     AS manufacturer_coupons,
    sum(cash_from_customers)::DECIMAL(18,2)      AS cash_from_customers
FROM sales.basket
GROUP BY sold_on, store_key
ORDER BY sold_on, store_key

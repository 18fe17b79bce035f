SELECT
    month,
    quarter,
    date_trunc('month', sold_on)::DATE                AS month_start,
    count(*)                                          AS lines,
    sum(gross_shelf)::DECIMAL(18,2)                   AS gross_shelf,
    sum(loyalty_discount)::DECIMAL(18,2)              AS loyalty_discount,
    sum(coupon_match)::DECIMAL(18,2)                  AS coupon_match,
    sum(net_sales)::DECIMAL(18,2)                     AS net_sales,
    sum(manufacturer_coupons)::DECIMAL(18,2)          AS manufacturer_coupons,
    sum(cash_from_customers)::DECIMAL(18,2)           AS cash_from_customers,
    sum(net_sales_eur)::DECIMAL(28,8)                 AS net_sales_eur,
    sum(cash_from_customers_eur)::DECIMAL(28,8)       AS cash_from_customers_eur
FROM finance.sales_line
GROUP BY month, quarter, date_trunc('month', sold_on)::DATE
ORDER BY month

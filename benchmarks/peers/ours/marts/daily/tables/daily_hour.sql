SELECT
    sold_on,
    sold_hour,
    count(DISTINCT basket_id)         AS baskets,
    sum(net_sales)::DECIMAL(18,2)     AS net_sales
FROM daily.fact_sales_line
GROUP BY sold_on, sold_hour

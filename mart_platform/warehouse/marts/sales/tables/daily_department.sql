SELECT
    fact.sold_on,
    product.department,
    count(DISTINCT fact.basket_id)                                                           AS baskets,
    count(DISTINCT fact.household_key)                                                       AS households,
    count(*)                                                                                 AS lines,
    sum(fact.quantity)::BIGINT                                                               AS quantity,
    sum(fact.net_sales)::DECIMAL(18,2)                                                       AS net_sales,
    sum(CASE WHEN product.brand = 'Private' THEN fact.net_sales ELSE 0 END)::DECIMAL(18,2)   AS net_sales_private,
    sum(fact.loyalty_discount)::DECIMAL(18,2)                                                AS loyalty_discount,
    sum(fact.manufacturer_coupons)::DECIMAL(18,2)                                            AS manufacturer_coupons
FROM sales.fact_sales_line AS fact
JOIN sales.dim_product AS product ON product.product_key = fact.product_key
GROUP BY fact.sold_on, product.department
ORDER BY fact.sold_on, product.department

SELECT
    sold_on,
    store_id,
    count(DISTINCT basket_id)                    AS baskets,
    count(DISTINCT household_id)                 AS households,
    count(*)                                     AS lines,
    sum(net_sales)::DECIMAL(18,2)                AS net_sales,
    sum(loyalty_discount)::DECIMAL(18,2)         AS loyalty_discount
FROM {{ ref('fact_sales_line') }}
GROUP BY sold_on, store_id

SELECT
    sold_on,
    department,
    count(DISTINCT basket_id)                                                        AS baskets,
    count(*)                                                                         AS lines,
    sum(net_sales)::DECIMAL(18,2)                                                    AS net_sales,
    sum(CASE WHEN brand = 'Private' THEN net_sales ELSE 0 END)::DECIMAL(18,2)        AS net_sales_private
FROM {{ ref('fact_sales_line') }}
GROUP BY sold_on, department

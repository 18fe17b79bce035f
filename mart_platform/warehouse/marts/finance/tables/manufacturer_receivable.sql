SELECT
    sales_line.quarter,
    date_trunc('quarter', sales_line.sold_on)::DATE          AS quarter_start,
    coalesce(product.manufacturer_id, -1)                    AS manufacturer_id,
    sum(sales_line.net_sales)::DECIMAL(18,2)                 AS net_sales,
    sum(sales_line.manufacturer_coupons)::DECIMAL(18,2)      AS manufacturer_coupons
FROM finance.sales_line AS sales_line
LEFT JOIN canonical.product AS product ON product.product_id = sales_line.product_id
GROUP BY sales_line.quarter, date_trunc('quarter', sales_line.sold_on)::DATE, coalesce(product.manufacturer_id, -1)
ORDER BY sales_line.quarter, manufacturer_id

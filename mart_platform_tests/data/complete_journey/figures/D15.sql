SELECT product.manufacturer_id::VARCHAR AS key, sum(fact.net_sales) AS value
FROM sales.fact_sales_line AS fact
JOIN sales.dim_product AS product ON product.product_key = fact.product_key
WHERE product.is_listed
GROUP BY product.manufacturer_id
ORDER BY value DESC
LIMIT 10

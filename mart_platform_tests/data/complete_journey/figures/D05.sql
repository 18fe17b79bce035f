WITH sold AS (
    SELECT product.department, product.brand, sum(fact.net_sales) AS net_sales
    FROM sales.fact_sales_line AS fact
    JOIN sales.dim_product AS product ON product.product_key = fact.product_key
    WHERE product.is_listed
    GROUP BY product.department, product.brand
),

departments AS (
    SELECT department, sum(net_sales) AS net_sales
    FROM sold
    GROUP BY department
    ORDER BY net_sales DESC
    LIMIT 10
)

SELECT department AS key, net_sales::DOUBLE AS value FROM departments
UNION ALL
SELECT 'private_share', sum(net_sales) FILTER (WHERE brand = 'Private') / sum(net_sales) FROM sold

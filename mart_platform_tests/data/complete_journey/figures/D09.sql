SELECT 'mean' AS key, sum(net_sales) / count(*) AS value FROM sales.basket
UNION ALL
SELECT 'median', median(net_sales) FROM sales.basket
UNION ALL
SELECT 'lines', sum(lines) / count(*) FROM sales.basket

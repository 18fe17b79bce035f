SELECT sold_hour::VARCHAR AS key, count(DISTINCT basket_id) AS value
FROM sales.basket
GROUP BY sold_hour

SELECT dim_date.month AS key, count(DISTINCT fact.household_key) AS value
FROM sales.fact_sales_line AS fact
JOIN sales.dim_date AS dim_date ON dim_date.date_key = fact.date_key
GROUP BY dim_date.month

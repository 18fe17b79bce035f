SELECT day, count(*) AS events, max(customer) AS last_customer
FROM usage.dear
GROUP BY day

SELECT e.day, c.country, count(*) AS events, sum(e.amount)::DECIMAL(18,2) AS amount
FROM usage.event AS e
LEFT JOIN canonical.customer AS c ON e.customer = c.customer
GROUP BY ALL

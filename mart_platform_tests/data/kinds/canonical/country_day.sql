SELECT e.day, c.country, count(*) AS events, sum(e.amount)::DECIMAL(18,2) AS amount
FROM canonical.event_day AS e
LEFT JOIN app.customers AS c USING (customer)
GROUP BY ALL

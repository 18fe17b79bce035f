SELECT customer, count(*) AS events, sum(amount)::DECIMAL(18,2) AS amount FROM canonical.event GROUP BY customer

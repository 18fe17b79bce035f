SELECT e.happened_at::DATE AS day, e.event_id, sum(p.value)::DECIMAL(18,2) AS paid
FROM app.events AS e
LEFT JOIN app.payments AS p ON e.event_id = p.event_id
GROUP BY ALL

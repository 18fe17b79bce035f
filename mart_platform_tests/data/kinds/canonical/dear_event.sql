SELECT e.happened_at::DATE AS day, e.event_id, e.amount, p.most
FROM app.events AS e
CROSS JOIN (SELECT max(value) AS most FROM app.payments) AS p
WHERE e.amount >= p.most

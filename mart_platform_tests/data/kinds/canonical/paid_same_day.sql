SELECT e.happened_at::DATE AS day, e.event_id, e.amount
FROM app.events AS e
WHERE EXISTS (
    SELECT 1 FROM app.payments AS p
    WHERE p.event_id = e.event_id AND p.paid_at::DATE = e.happened_at::DATE
)

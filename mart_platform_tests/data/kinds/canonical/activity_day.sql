SELECT h.valid_from::DATE AS day, 'known' AS kind, h.event_id AS id, h.amount
FROM canonical.event_history AS h
UNION ALL
SELECT p.paid_at::DATE AS day, 'paid' AS kind, p.payment_id AS id, p.value AS amount
FROM canonical.payment AS p
WHERE NOT EXISTS (SELECT 1 FROM canonical.event AS e WHERE e.event_id = p.event_id)

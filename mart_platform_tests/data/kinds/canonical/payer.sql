SELECT p.payment_id, p.value, h.customer, h.amount
FROM canonical.payment AS p
LEFT JOIN canonical.event_history AS h
    ON p.event_id = h.event_id AND p.paid_at >= h.valid_from AND (p.paid_at < h.valid_to OR h.valid_to IS NULL)

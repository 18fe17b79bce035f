SELECT payment_id, event_id, paid_at, value
FROM app.payments
QUALIFY row_number() OVER (PARTITION BY payment_id ORDER BY _delivered DESC, _row DESC) = 1

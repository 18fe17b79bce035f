SELECT event_id, happened_at::DATE AS day, customer, amount, points FROM canonical.event

SELECT event_id, customer, amount, points, deleted, changed_at FROM app.events

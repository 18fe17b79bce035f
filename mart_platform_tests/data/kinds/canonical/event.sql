SELECT event_id, customer, happened_at, amount, points, deleted, changed_at FROM app.events

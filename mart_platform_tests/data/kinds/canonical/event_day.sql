SELECT day, event_id, customer, happened_at, amount, points
FROM (
    SELECT day, event_id, customer, happened_at, amount, points, deleted
    FROM (
        SELECT event_id, customer, happened_at, amount, points, deleted, _delivered, _row, happened_at::DATE AS day
        FROM app.events
    )
    QUALIFY row_number() OVER (PARTITION BY event_id, day ORDER BY _delivered DESC, _row DESC) = 1
)
WHERE NOT deleted

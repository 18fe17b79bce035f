SELECT
    (happened_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin')::DATE AS local_day,
    count(*) AS states,
    sum(amount)::DECIMAL(18,2) AS amount
FROM app.events
GROUP BY ALL

SELECT date_trunc('hour', happened_at) AS hour, count(*) AS states, count(DISTINCT event_id) AS events
FROM app.events
GROUP BY ALL

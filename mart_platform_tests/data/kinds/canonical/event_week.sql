SELECT date_trunc('week', hour)::DATE AS week, sum(states)::BIGINT AS states, max(hour) AS last_hour
FROM canonical.event_hour
GROUP BY ALL

SELECT day, event_id, sum(amount) OVER (PARTITION BY customer ORDER BY day, event_id)::DECIMAL(18,2) AS spent
FROM canonical.event_day

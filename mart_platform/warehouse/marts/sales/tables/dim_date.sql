SELECT
    (
        extract(year FROM day) * 10000 + extract(month FROM day) * 100 + extract(day FROM day)
    )::INTEGER   AS date_key,
    day,
    year,
    quarter,
    month,
    month_start,
    week_start,
    retail_week,
    day_of_week,
    day_name,
    is_weekend
FROM canonical.calendar
ORDER BY day

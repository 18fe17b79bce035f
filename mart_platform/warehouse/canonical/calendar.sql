-- Whole months around all sales and campaigns; redemptions lie within their campaigns.
WITH needed AS (
    SELECT min(sold_on) AS first_day, max(sold_on) AS last_day FROM canonical.basket
    UNION ALL
    SELECT min(start_on), max(end_on) FROM canonical.campaign
),

days AS (
    SELECT
        unnest(generate_series(
            date_trunc('month', min(first_day)),
            last_day(max(last_day)),
            INTERVAL 1 DAY
        ))::DATE   AS day
    FROM needed
)

SELECT
    day,
    extract(year FROM day)::INTEGER                                              AS year,
    extract(year FROM day)::VARCHAR || 'Q' || extract(quarter FROM day)::VARCHAR   AS quarter,
    strftime(day, '%Y-%m')                                                       AS month,
    date_trunc('month', day)::DATE                                               AS month_start,
    date_trunc('week', day)::DATE                                                AS week_start,
    (date_diff('week', DATE '2016-12-26', day) + 1)::BIGINT                      AS retail_week,
    extract(isodow FROM day)::INTEGER                                            AS day_of_week,
    strftime(day, '%A')                                                          AS day_name,
    extract(isodow FROM day) >= 6                                                AS is_weekend
FROM days
ORDER BY day

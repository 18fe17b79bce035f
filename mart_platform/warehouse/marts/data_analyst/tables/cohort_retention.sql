WITH active AS (
    SELECT DISTINCT
        household_id,
        date_trunc('month', sold_on)::DATE   AS month_start
    FROM canonical.basket
),

first_month AS (
    SELECT household_id, min(month_start) AS cohort_start
    FROM active
    GROUP BY household_id
),

cohort AS (
    SELECT cohort_start, count(*) AS households
    FROM first_month
    GROUP BY cohort_start
),

returned AS (
    SELECT first_month.cohort_start, active.month_start, count(*) AS active
    FROM active
    JOIN first_month ON first_month.household_id = active.household_id
    GROUP BY first_month.cohort_start, active.month_start
),

months AS (
    SELECT DISTINCT month_start FROM active
)

SELECT
    strftime(cohort.cohort_start, '%Y-%m')                                       AS cohort_month,
    strftime(months.month_start, '%Y-%m')                                        AS month,
    date_diff('month', cohort.cohort_start, months.month_start)                  AS months_since,
    cohort.households,
    coalesce(returned.active, 0)                                                 AS active,
    (coalesce(returned.active, 0) / cohort.households)::DECIMAL(18,10)           AS retention
FROM cohort
JOIN months ON months.month_start >= cohort.cohort_start
LEFT JOIN returned
    ON returned.cohort_start = cohort.cohort_start
    AND returned.month_start = months.month_start
ORDER BY cohort_month, month

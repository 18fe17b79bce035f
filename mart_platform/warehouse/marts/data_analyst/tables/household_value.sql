WITH bought AS (
    SELECT
        household_id,
        min(sold_on)                    AS first_sold_on,
        max(sold_on)                    AS last_sold_on,
        count(*)                        AS baskets,
        sum(lines)::BIGINT              AS lines,
        sum(net_sales)::DECIMAL(18,2)   AS net_sales
    FROM canonical.basket
    GROUP BY household_id
)

SELECT
    household_id,
    strftime(first_sold_on, '%Y-%m')                                                 AS cohort_month,
    first_sold_on,
    last_sold_on,
    date_diff('day', last_sold_on, max(last_sold_on) OVER ())                        AS days_since_last,
    baskets,
    lines,
    net_sales,
    (net_sales / baskets)::DECIMAL(18,2)                                             AS basket_value,
    row_number() OVER (ORDER BY net_sales DESC, household_id)                        AS value_rank,
    ntile(10) OVER (ORDER BY net_sales DESC, household_id)                           AS value_decile
FROM bought
ORDER BY value_rank

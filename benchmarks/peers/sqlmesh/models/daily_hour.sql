MODEL (
    name daily.daily_hour,
    kind INCREMENTAL_BY_TIME_RANGE (time_column sold_on, batch_size 1),
    columns (
        sold_on DATE, sold_hour INTEGER, baskets BIGINT, net_sales DECIMAL(18,2)
    )
);

SELECT
    sold_on,
    sold_hour,
    count(DISTINCT basket_id)         AS baskets,
    sum(net_sales)::DECIMAL(18,2)     AS net_sales
FROM daily.fact_sales_line
WHERE sold_on BETWEEN @start_ds AND @end_ds
GROUP BY sold_on, sold_hour

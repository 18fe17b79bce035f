MODEL (
    name daily.daily_store,
    kind INCREMENTAL_BY_TIME_RANGE (time_column sold_on, batch_size 1),
    columns (
        sold_on DATE, store_id BIGINT, baskets BIGINT, households BIGINT, lines BIGINT, net_sales DECIMAL(18,2),
        loyalty_discount DECIMAL(18,2)
    )
);

SELECT
    sold_on,
    store_id,
    count(DISTINCT basket_id)                    AS baskets,
    count(DISTINCT household_id)                 AS households,
    count(*)                                     AS lines,
    sum(net_sales)::DECIMAL(18,2)                AS net_sales,
    sum(loyalty_discount)::DECIMAL(18,2)         AS loyalty_discount
FROM daily.fact_sales_line
WHERE sold_on BETWEEN @start_ds AND @end_ds
GROUP BY sold_on, store_id

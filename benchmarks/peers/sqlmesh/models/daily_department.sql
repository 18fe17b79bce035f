MODEL (
    name daily.daily_department,
    kind INCREMENTAL_BY_TIME_RANGE (time_column sold_on, batch_size 1),
    columns (
        sold_on DATE, department TEXT, baskets BIGINT, lines BIGINT, net_sales DECIMAL(18,2),
        net_sales_private DECIMAL(18,2)
    )
);

SELECT
    sold_on,
    department,
    count(DISTINCT basket_id)                                                        AS baskets,
    count(*)                                                                         AS lines,
    sum(net_sales)::DECIMAL(18,2)                                                    AS net_sales,
    sum(CASE WHEN brand = 'Private' THEN net_sales ELSE 0 END)::DECIMAL(18,2)        AS net_sales_private
FROM daily.fact_sales_line
WHERE sold_on BETWEEN @start_ds AND @end_ds
GROUP BY sold_on, department

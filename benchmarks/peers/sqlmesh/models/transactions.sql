MODEL (
    name daily.transactions,
    kind INCREMENTAL_BY_TIME_RANGE (time_column sold_on, batch_size 1),
    columns (
        household_id BIGINT, store_id BIGINT, basket_id BIGINT, product_id BIGINT, quantity BIGINT, sales_value DOUBLE,
        retail_disc DOUBLE, coupon_disc DOUBLE, coupon_match_disc DOUBLE, week BIGINT, transaction_timestamp TIMESTAMP, sold_on DATE
    )
);

-- Landing: each batch is the file of its day.
SELECT
    *,
    (transaction_timestamp AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York')::DATE   AS sold_on
FROM read_parquet(@VAR('delivered') || '/transactions/' || @IF(@runtime_stage = 'creating', '*', @start_ds) || '.parquet')

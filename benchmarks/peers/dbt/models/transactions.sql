-- Landing: each batch is the file of its day.
SELECT
    *,
    (transaction_timestamp AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York')::DATE   AS sold_on
FROM read_parquet('{{ var("delivered") }}/transactions/{{ model.batch.event_time_start.strftime("%Y-%m-%d") if model.batch else "*" }}.parquet')

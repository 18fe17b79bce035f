{{ config(materialized='table') }}
FROM read_parquet('{{ var("delivered") }}/products.parquet')

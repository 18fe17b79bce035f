MODEL (
    name daily.fact_sales_line,
    kind INCREMENTAL_BY_TIME_RANGE (time_column sold_on, batch_size 1),
    columns (
        basket_id BIGINT, product_id BIGINT, household_id BIGINT, store_id BIGINT, sold_on DATE, sold_hour INTEGER,
        department TEXT, brand TEXT, quantity BIGINT, gross_shelf DECIMAL(18,2), loyalty_discount DECIMAL(18,2),
        net_sales DECIMAL(18,2), manufacturer_coupons DECIMAL(18,2)
    )
);

SELECT
    line.basket_id,
    line.product_id,
    line.household_id,
    line.store_id,
    line.sold_on,
    extract(hour FROM line.sold_at_local)::INTEGER   AS sold_hour,
    coalesce(product.department, 'Unknown')          AS department,
    coalesce(product.brand, 'Unknown')               AS brand,
    line.quantity,
    line.gross_shelf,
    line.loyalty_discount,
    line.net_sales,
    line.manufacturer_coupons
FROM daily.sales_line AS line
LEFT JOIN reference.products AS product ON product.product_id = line.product_id
WHERE line.sold_on BETWEEN @start_ds AND @end_ds

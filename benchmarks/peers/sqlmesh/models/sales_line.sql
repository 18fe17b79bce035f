MODEL (
    name daily.sales_line,
    kind INCREMENTAL_BY_TIME_RANGE (time_column sold_on, batch_size 1),
    columns (
        basket_id BIGINT, product_id BIGINT, household_id BIGINT, store_id BIGINT, sold_at_local TIMESTAMP, sold_on DATE,
        quantity BIGINT, gross_shelf DECIMAL(18,2), loyalty_discount DECIMAL(18,2), coupon_match DECIMAL(18,2),
        net_sales DECIMAL(18,2), manufacturer_coupons DECIMAL(18,2)
    )
);

WITH exact AS (
    SELECT
        basket_id,
        product_id,
        household_id,
        store_id,
        transaction_timestamp AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York'           AS sold_at_local,
        sold_on,
        quantity,
        round(sales_value, 2)::DECIMAL(18,2)                                               AS net_sales,
        round(retail_disc, 2)::DECIMAL(18,2)                                               AS loyalty_discount,
        round(coupon_match_disc, 2)::DECIMAL(18,2)                                         AS coupon_match,
        round(coupon_disc, 2)::DECIMAL(18,2)                                               AS manufacturer_coupons
    FROM daily.transactions
    WHERE sold_on BETWEEN @start_ds AND @end_ds
)

SELECT
    basket_id,
    product_id,
    household_id,
    store_id,
    sold_at_local,
    sold_on,
    quantity,
    (net_sales + loyalty_discount + coupon_match)::DECIMAL(18,2)   AS gross_shelf,
    loyalty_discount,
    coupon_match,
    net_sales,
    manufacturer_coupons
FROM exact
QUALIFY row_number() OVER (
    PARTITION BY sold_on, basket_id, product_id
    ORDER BY quantity, net_sales, loyalty_discount, coupon_match, manufacturer_coupons
) = 1

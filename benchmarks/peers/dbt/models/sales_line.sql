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
    FROM {{ ref('transactions') }}
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

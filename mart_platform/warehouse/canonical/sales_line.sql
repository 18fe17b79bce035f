-- The times and the cents of the tills, put right once for everybody. A line that was delivered again counts as it
-- was delivered last, whatever order the deliveries arrived in.
WITH exact AS (
    SELECT
        basket_id,
        product_id,
        household_id,
        store_id,
        transaction_timestamp                                                              AS sold_at_utc,
        transaction_timestamp AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York'           AS sold_at_local,
        (transaction_timestamp AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York')::DATE   AS sold_on,
        week                                                                               AS retail_week,
        quantity,
        round(sales_value, 2)::DECIMAL(18,2)                                               AS net_sales,
        round(retail_disc, 2)::DECIMAL(18,2)                                               AS loyalty_discount,
        round(coupon_match_disc, 2)::DECIMAL(18,2)                                         AS coupon_match,
        round(coupon_disc, 2)::DECIMAL(18,2)                                               AS manufacturer_coupons,
        _delivered
    FROM complete_journey.transactions
),

newest AS (
    SELECT *
    FROM exact
    QUALIFY row_number() OVER (
        PARTITION BY sold_on, basket_id, product_id
        ORDER BY
            _delivered DESC,
            sold_at_utc, household_id, store_id, retail_week,
            quantity, net_sales, loyalty_discount, coupon_match, manufacturer_coupons
    ) = 1
)

SELECT
    basket_id,
    row_number() OVER (PARTITION BY sold_on, basket_id ORDER BY product_id)   AS line,
    sold_at_utc,
    sold_at_local,
    sold_on,
    retail_week,
    household_id,
    store_id,
    product_id,
    quantity,
    (net_sales + loyalty_discount + coupon_match)::DECIMAL(18,2)              AS gross_shelf,
    loyalty_discount,
    coupon_match,
    net_sales,
    manufacturer_coupons,
    (net_sales - manufacturer_coupons)::DECIMAL(18,2)                         AS cash_from_customers
FROM newest
ORDER BY sold_on, basket_id, line

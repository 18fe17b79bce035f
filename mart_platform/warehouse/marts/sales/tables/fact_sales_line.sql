SELECT
    basket_id,
    line,
    (
        extract(year FROM sold_on) * 10000 + extract(month FROM sold_on) * 100 + extract(day FROM sold_on)
    )::INTEGER                                     AS date_key,
    coalesce(product_id, -1)                       AS product_key,
    coalesce(household_id, -1)                     AS household_key,
    coalesce(store_id, -1)                         AS store_key,
    sold_on,
    sold_at_local,
    quantity,
    gross_shelf,
    loyalty_discount,
    coupon_match,
    net_sales,
    manufacturer_coupons,
    cash_from_customers
FROM canonical.sales_line
ORDER BY sold_on, basket_id, line

SELECT
    basket_id,
    (
        extract(year FROM sold_on) * 10000 + extract(month FROM sold_on) * 100 + extract(day FROM sold_on)
    )::INTEGER                                     AS date_key,
    coalesce(household_id, -1)                     AS household_key,
    coalesce(store_id, -1)                         AS store_key,
    sold_on,
    sold_at_local,
    extract(hour FROM sold_at_local)::INTEGER      AS sold_hour,
    lines,
    net_sales,
    loyalty_discount,
    manufacturer_coupons,
    cash_from_customers
FROM canonical.basket
ORDER BY sold_on, basket_id

SELECT
    sales_line.basket_id,
    sales_line.line,
    sales_line.sold_on,
    calendar.month,
    calendar.quarter,
    sales_line.store_id,
    sales_line.household_id,
    sales_line.product_id,
    sales_line.gross_shelf,
    sales_line.loyalty_discount,
    sales_line.coupon_match,
    sales_line.net_sales,
    sales_line.manufacturer_coupons,
    sales_line.cash_from_customers,
    rate.units_per_euro                                                                       AS usd_per_euro,
    rate.published_on                                                                         AS rate_published_on,
    (sales_line.net_sales / rate.units_per_euro)::DECIMAL(18,8)                               AS net_sales_eur,
    (sales_line.cash_from_customers / rate.units_per_euro)::DECIMAL(18,8)                     AS cash_from_customers_eur
FROM canonical.sales_line AS sales_line
LEFT JOIN canonical.calendar AS calendar ON calendar.day = sales_line.sold_on
LEFT JOIN canonical.exchange_rate AS rate
    ON rate.valid_on = sales_line.sold_on
    AND rate.currency = 'USD'
ORDER BY sales_line.sold_on, sales_line.basket_id, sales_line.line

SELECT
    sales_line.basket_id,
    sales_line.line,
    sales_line.sold_on,
    sales_line.sold_at_local,
    extract(hour FROM sales_line.sold_at_local)::INTEGER   AS sold_hour,
    calendar.month,
    calendar.quarter,
    calendar.day_name,
    calendar.is_weekend,
    sales_line.retail_week,

    sales_line.store_id,
    recorded.store_id IS NOT NULL                          AS store_has_promotions,

    sales_line.household_id,
    household.has_demographics,
    household.age,
    household.income,
    household.home_ownership,
    household.marital_status,
    household.household_size,
    household.composition,
    household.kids_count,

    sales_line.product_id,
    product.is_listed                                      AS product_is_listed,
    product.manufacturer_id,
    product.department,
    product.category,
    product.type,
    product.brand,
    product.package_size,

    coalesce(promotion.on_display, false)                  AS on_display,
    coalesce(promotion.in_mailer, false)                   AS in_mailer,

    sales_line.quantity,
    sales_line.gross_shelf,
    sales_line.loyalty_discount,
    sales_line.coupon_match,
    sales_line.net_sales,
    sales_line.manufacturer_coupons,
    sales_line.cash_from_customers
FROM canonical.sales_line AS sales_line
LEFT JOIN canonical.calendar AS calendar ON calendar.day = sales_line.sold_on
LEFT JOIN canonical.promoted_store AS recorded ON recorded.store_id = sales_line.store_id
LEFT JOIN canonical.household AS household ON household.household_id = sales_line.household_id
LEFT JOIN canonical.product AS product ON product.product_id = sales_line.product_id
LEFT JOIN canonical.promotion AS promotion
    ON promotion.product_id = sales_line.product_id
    AND promotion.store_id = sales_line.store_id
    AND promotion.retail_week = sales_line.retail_week

SELECT
    sold.store_id,
    sold.retail_week,
    date_trunc('week', sold.sold_on)::DATE      AS week_start,
    recorded.store_id IS NOT NULL               AS is_recorded,
    coalesce(promotion.on_display, false)       AS on_display,
    coalesce(promotion.in_mailer, false)        AS in_mailer,
    count(*)                                    AS lines,
    sum(sold.net_sales)::DECIMAL(18,2)          AS net_sales
FROM canonical.sales_line AS sold
LEFT JOIN canonical.promoted_store AS recorded ON recorded.store_id = sold.store_id
LEFT JOIN canonical.promotion AS promotion
    ON promotion.product_id = sold.product_id
    AND promotion.store_id = sold.store_id
    AND promotion.retail_week = sold.retail_week
GROUP BY
    sold.store_id,
    sold.retail_week,
    date_trunc('week', sold.sold_on)::DATE,
    recorded.store_id IS NOT NULL,
    coalesce(promotion.on_display, false),
    coalesce(promotion.in_mailer, false)
ORDER BY week_start, sold.store_id, on_display, in_mailer

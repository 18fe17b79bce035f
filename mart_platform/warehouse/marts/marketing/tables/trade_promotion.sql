-- Sales are added up per product, store and week first, so that the large table of promotions is read only once.
WITH sold AS (
    SELECT
        product_id,
        store_id,
        retail_week,
        count(*)                        AS lines,
        sum(net_sales)::DECIMAL(18,2)   AS net_sales
    FROM canonical.sales_line
    GROUP BY product_id, store_id, retail_week
)

SELECT
    sold.store_id,
    sold.retail_week,
    store.has_promotions                        AS is_recorded,
    coalesce(promotion.on_display, false)       AS on_display,
    coalesce(promotion.in_mailer, false)        AS in_mailer,
    sum(sold.lines)::BIGINT                     AS lines,
    sum(sold.net_sales)::DECIMAL(18,2)          AS net_sales
FROM sold
JOIN canonical.store AS store ON store.store_id = sold.store_id
LEFT JOIN canonical.promotion AS promotion
    ON promotion.product_id = sold.product_id
    AND promotion.store_id = sold.store_id
    AND promotion.retail_week = sold.retail_week
GROUP BY
    sold.store_id,
    sold.retail_week,
    store.has_promotions,
    coalesce(promotion.on_display, false),
    coalesce(promotion.in_mailer, false)
ORDER BY sold.store_id, sold.retail_week, on_display, in_mailer

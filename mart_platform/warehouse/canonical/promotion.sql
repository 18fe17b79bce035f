-- One row for each product, store and week, although a product may stand in two places at once.
SELECT
    product_id,
    store_id,
    week                               AS retail_week,
    bool_or(display_location <> '0')   AS on_display,
    bool_or(mailer_location <> '0')    AS in_mailer
FROM complete_journey.promotions
GROUP BY product_id, store_id, week
ORDER BY retail_week, product_id

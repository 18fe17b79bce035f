SELECT DISTINCT product_id
FROM complete_journey.promotions
ORDER BY product_id

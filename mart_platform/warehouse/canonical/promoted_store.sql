SELECT DISTINCT store_id
FROM complete_journey.promotions
ORDER BY store_id

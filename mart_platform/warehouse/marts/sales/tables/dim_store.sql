SELECT
    store_id   AS store_key,
    store_id,
    has_promotions
FROM canonical.store
UNION ALL
SELECT -1, NULL, false
ORDER BY store_key

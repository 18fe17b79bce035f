-- Every store that sold or promoted anything; the sources say nothing else about stores.
WITH sold AS (
    SELECT DISTINCT store_id FROM canonical.basket
),

promoted AS (
    SELECT DISTINCT store_id FROM canonical.promoted_store
)

SELECT
    coalesce(sold.store_id, promoted.store_id)   AS store_id,
    sold.store_id IS NOT NULL                    AS has_sales,
    promoted.store_id IS NOT NULL                AS has_promotions
FROM sold
FULL JOIN promoted ON promoted.store_id = sold.store_id
ORDER BY coalesce(sold.store_id, promoted.store_id)

WITH visited AS (
    SELECT store_id, count(*) AS baskets
    FROM canonical.basket
    GROUP BY store_id
),

ranked AS (
    SELECT
        store.store_id,
        store.has_promotions,
        coalesce(visited.baskets, 0)                                                           AS baskets,
        row_number() OVER (ORDER BY coalesce(visited.baskets, 0) DESC, store.store_id)         AS basket_rank
    FROM canonical.store AS store
    LEFT JOIN visited ON visited.store_id = store.store_id
)

SELECT
    store_id,
    has_promotions,
    baskets,
    basket_rank,
    basket_rank <= 20   AS in_panel
FROM ranked
ORDER BY basket_rank

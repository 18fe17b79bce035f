-- What a household has spent in the year can only grow, so a tier once reached stays until the year ends.
WITH spent AS (
    SELECT
        household_id,
        sold_on,
        sum(sum(net_sales)) OVER (
            PARTITION BY household_id, extract(year FROM sold_on)
            ORDER BY sold_on
        )   AS so_far
    FROM canonical.basket
    GROUP BY household_id, sold_on
)

SELECT
    household_id,
    sold_on,
    CASE
        WHEN so_far >= 2500 THEN 'gold'
        WHEN so_far >= 1000 THEN 'silver'
        ELSE 'bronze'
    END   AS tier
FROM spent

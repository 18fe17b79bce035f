-- Every product that any source names, so that no line, coupon or promotion loses its product in a join.
WITH named AS (
    SELECT product_id FROM complete_journey.products
    UNION
    SELECT product_id FROM canonical.sales_line
    UNION
    SELECT product_id FROM complete_journey.coupons
    UNION
    SELECT product_id FROM canonical.promoted_product
)

SELECT
    named.product_id,
    listed.product_id IS NOT NULL   AS is_listed,
    listed.manufacturer_id,
    listed.department,
    listed.product_category         AS category,
    listed.product_type             AS type,
    listed.brand,
    listed.package_size
FROM named
LEFT JOIN complete_journey.products AS listed ON listed.product_id = named.product_id
ORDER BY named.product_id

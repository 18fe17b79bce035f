SELECT
    product_id                           AS product_key,
    product_id,
    is_listed,
    coalesce(manufacturer_id, -1)        AS manufacturer_id,
    coalesce(department, 'Unknown')      AS department,
    coalesce(category, 'Unknown')        AS category,
    coalesce(type, 'Unknown')            AS type,
    coalesce(brand, 'Unknown')           AS brand,
    coalesce(package_size, 'Unknown')    AS package_size
FROM canonical.product
UNION ALL
SELECT -1, NULL, false, -1, 'Unknown', 'Unknown', 'Unknown', 'Unknown', 'Unknown'
ORDER BY product_key

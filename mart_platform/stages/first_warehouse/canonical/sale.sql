SELECT
    receipt,
    line,
    product,
    CASE WHEN product LIKE '%cake' THEN 'cake' ELSE 'bread' END AS kind,
    price,
    sold_at::DATE AS sold_on
FROM till.sales

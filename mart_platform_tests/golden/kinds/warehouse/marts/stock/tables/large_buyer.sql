SELECT sold_on, buyer, count(*) AS sales, max(product) AS last_product
FROM canonical.large_sale
GROUP BY sold_on, buyer

SELECT
    line.basket_id,
    line.product_id,
    line.household_id,
    line.store_id,
    line.sold_on,
    extract(hour FROM line.sold_at_local)::INTEGER   AS sold_hour,
    coalesce(product.department, 'Unknown')          AS department,
    coalesce(product.brand, 'Unknown')               AS brand,
    line.quantity,
    line.gross_shelf,
    line.loyalty_discount,
    line.net_sales,
    line.manufacturer_coupons
FROM {{ ref('sales_line') }} AS line
LEFT JOIN {{ ref('products') }} AS product ON product.product_id = line.product_id

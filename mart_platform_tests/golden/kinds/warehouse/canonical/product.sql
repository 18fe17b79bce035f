SELECT product, coalesce(category, 'other') AS category FROM shop.products

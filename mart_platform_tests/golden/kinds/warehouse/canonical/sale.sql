SELECT sale_id, product, buyer, quantity, amount, sold_at, sold_at::DATE AS sold_on FROM shop.sales

SELECT sale_id, product, quantity, amount, sold_on FROM till.sales

SELECT product, price, changed_by, changed_at FROM shop.prices

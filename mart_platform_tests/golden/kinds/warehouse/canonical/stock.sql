SELECT product, pieces, gone, counted_at FROM shop.stock

SELECT stock.product, stock.pieces, price.price, (stock.pieces * price.price)::DECIMAL(18,2) AS worth
FROM canonical.stock AS stock
LEFT JOIN canonical.price AS price ON price.product = stock.product AND price.valid_to IS NULL

SELECT sale_id, product, lower(buyer) AS buyer, amount, sold_on FROM canonical.sale WHERE amount > 100

SELECT sold_on, category, sum(quantity)::BIGINT AS quantity, sum(amount)::DECIMAL(18,2) AS amount
FROM canonical.sale LEFT JOIN canonical.product USING (product)
GROUP BY ALL

SELECT sold_on, product, sum(quantity)::BIGINT AS quantity, sum(amount)::DECIMAL(18,2) AS amount
FROM kiosk.sale GROUP BY sold_on, product

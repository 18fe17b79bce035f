SELECT product, sum(quantity)::BIGINT AS quantity, sum(amount)::DECIMAL(18,2) AS amount
FROM kiosk.per_day GROUP BY product

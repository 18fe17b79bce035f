SELECT sold_on, sale_id, sum(amount) OVER (ORDER BY sold_on, sale_id)::DECIMAL(18,2) AS total
FROM canonical.sale

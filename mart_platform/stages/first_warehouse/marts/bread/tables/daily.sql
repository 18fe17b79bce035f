SELECT sold_on, count(*) AS lines, sum(price)::DECIMAL(18,2) AS takings
FROM canonical.sale
WHERE kind = 'bread'
GROUP BY sold_on

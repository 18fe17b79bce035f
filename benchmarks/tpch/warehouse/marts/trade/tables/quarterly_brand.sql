SELECT
    date_trunc('quarter', shipped_on)::DATE   AS shipped_quarter,
    brand,
    ship_mode,
    count(*)                                  AS lines,
    sum(quantity)                             AS quantity,
    sum(net_amount)                           AS net_amount,
    sum(cost)                                 AS cost
FROM trade.fact_line
GROUP BY date_trunc('quarter', shipped_on)::DATE, brand, ship_mode

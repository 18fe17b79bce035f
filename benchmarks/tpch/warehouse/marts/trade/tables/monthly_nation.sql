SELECT
    date_trunc('month', ordered_on)::DATE   AS ordered_month,
    customer_nation,
    customer_region,
    supplier_nation,
    count(*)                                AS lines,
    sum(net_amount)                         AS net_amount,
    sum(profit)                             AS profit
FROM trade.fact_line
GROUP BY date_trunc('month', ordered_on)::DATE, customer_nation, customer_region, supplier_nation

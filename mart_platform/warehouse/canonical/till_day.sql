-- Counts the lines as they were delivered: what is put right in canonical.sales_line would not be seen there any more.
WITH delivered AS (
    SELECT
        basket_id,
        product_id,
        quantity,
        sales_value,
        coupon_disc,
        transaction_timestamp::DATE                                                        AS utc_day,
        (transaction_timestamp AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York')::DATE   AS sold_on,
        _delivered
    FROM complete_journey.transactions
),

ranked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY sold_on, basket_id, product_id
            ORDER BY _delivered DESC, utc_day, quantity, sales_value, coupon_disc
        ) = 1   AS counts
    FROM delivered
)

SELECT
    line.sold_on,
    count(*)                                                                                      AS rows_delivered,
    count(*) FILTER (WHERE line.counts)                                                           AS lines,
    sum(CASE WHEN line.counts THEN line.sales_value::DECIMAL(18,6) ELSE 0 END)::DECIMAL(28,6)     AS sales_value,
    sum(CASE WHEN line.counts THEN line.coupon_disc::DECIMAL(18,6) ELSE 0 END)::DECIMAL(28,6)     AS coupon_disc,
    count(*) FILTER (WHERE line.counts AND listed.product_id IS NULL)                             AS orphan_lines,
    count(*) FILTER (WHERE line.counts AND line.quantity <= 0)                                    AS zero_quantity,
    count(*) FILTER (WHERE line.counts AND round(line.sales_value, 2) = 0)                        AS zero_sales,
    count(*) FILTER (WHERE line.counts AND line.sales_value <> round(line.sales_value, 2))        AS float_dust,
    count(*) FILTER (WHERE line.counts AND line.utc_day <> line.sold_on)                          AS utc_vs_local
FROM ranked AS line
LEFT JOIN complete_journey.products AS listed ON listed.product_id = line.product_id
GROUP BY line.sold_on
ORDER BY line.sold_on

WITH panel AS (
    SELECT trade.on_display, trade.in_mailer, trade.net_sales
    FROM marketing.trade_promotion AS trade
    JOIN marketing.promotion_store AS store ON store.store_id = trade.store_id
    WHERE store.in_panel
)

SELECT 'net_sales' AS key, sum(net_sales)::DOUBLE AS value FROM panel
UNION ALL
SELECT 'on_display', sum(net_sales) FILTER (WHERE on_display) / sum(net_sales) FROM panel
UNION ALL
SELECT 'in_mailer', sum(net_sales) FILTER (WHERE in_mailer) / sum(net_sales) FROM panel
UNION ALL
SELECT 'both', sum(net_sales) FILTER (WHERE on_display AND in_mailer) / sum(net_sales) FROM panel

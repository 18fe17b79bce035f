SELECT
    sold_on,
    store_key,
    baskets,
    lines,
    net_sales,
    loyalty_discount
FROM sales.daily_store
WHERE sold_on >= (SELECT date_trunc('week', max(sold_on)) FROM sales.daily_store)

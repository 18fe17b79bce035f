SELECT month AS key, net_sales_eur AS value
FROM finance.bridge_month

SELECT campaign_type AS key, sum(net_sales) AS value
FROM marketing.exposure_day
GROUP BY campaign_type

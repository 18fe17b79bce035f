WITH attributed AS (
    SELECT
        campaign_type,
        sum(net_sales)              AS net_sales,
        sum(manufacturer_coupons)   AS manufacturer_coupons,
        sum(share)                  AS lines
    FROM marketing.redemption_line
    GROUP BY campaign_type
)

SELECT campaign_type || '|net_sales' AS key, net_sales AS value FROM attributed
UNION ALL
SELECT campaign_type || '|coupon_disc', manufacturer_coupons FROM attributed
UNION ALL
SELECT campaign_type || '|lines', lines FROM attributed

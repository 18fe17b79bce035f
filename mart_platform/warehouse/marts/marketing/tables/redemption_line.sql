-- A redemption names no basket: it is matched to the lines of the household on that day for which the coupon is good.
WITH matched AS (
    SELECT DISTINCT
        sales_line.basket_id,
        sales_line.line,
        redemption.campaign_id
    FROM canonical.redemption AS redemption
    JOIN canonical.coupon AS coupon
        ON coupon.coupon_upc = redemption.coupon_upc
        AND coupon.campaign_id = redemption.campaign_id
    JOIN canonical.sales_line AS sales_line
        ON sales_line.household_id = redemption.household_id
        AND sales_line.sold_on = redemption.redeemed_on
        AND sales_line.product_id = coupon.product_id
),

shared AS (
    SELECT
        basket_id,
        line,
        campaign_id,
        count(*) OVER (PARTITION BY basket_id, line)   AS campaigns
    FROM matched
)

SELECT
    shared.basket_id,
    shared.line,
    shared.campaign_id,
    campaign.campaign_type,
    sales_line.sold_on,
    sales_line.household_id,
    sales_line.store_id,
    sales_line.product_id,
    shared.campaigns,
    (1 / shared.campaigns)::DECIMAL(18,10)                                        AS share,
    (sales_line.net_sales / shared.campaigns)::DECIMAL(18,10)                     AS net_sales,
    (sales_line.manufacturer_coupons / shared.campaigns)::DECIMAL(18,10)          AS manufacturer_coupons
FROM shared
JOIN canonical.sales_line AS sales_line
    ON sales_line.basket_id = shared.basket_id
    AND sales_line.line = shared.line
JOIN canonical.campaign AS campaign ON campaign.campaign_id = shared.campaign_id
ORDER BY sales_line.sold_on, shared.basket_id, shared.line, shared.campaign_id

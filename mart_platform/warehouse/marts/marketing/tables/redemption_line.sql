-- A redemption names no basket: it is matched to the lines of the household on that day for which the coupon is good.
WITH matched AS (
    SELECT DISTINCT
        sales_line.sold_on,
        sales_line.basket_id,
        sales_line.line,
        sales_line.household_id,
        sales_line.store_id,
        sales_line.product_id,
        sales_line.net_sales,
        sales_line.manufacturer_coupons,
        redemption.campaign_id
    FROM canonical.sales_line AS sales_line
    JOIN canonical.redemption AS redemption
        ON redemption.redeemed_on = sales_line.sold_on
        AND redemption.household_id = sales_line.household_id
    JOIN canonical.coupon AS coupon
        ON coupon.coupon_upc = redemption.coupon_upc
        AND coupon.campaign_id = redemption.campaign_id
        AND coupon.product_id = sales_line.product_id
),

shared AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY sold_on, basket_id, line)   AS campaigns
    FROM matched
)

SELECT
    shared.basket_id,
    shared.line,
    shared.campaign_id,
    campaign.campaign_type,
    shared.sold_on,
    shared.household_id,
    shared.store_id,
    shared.product_id,
    shared.campaigns,
    (1 / shared.campaigns)::DECIMAL(18,10)                                    AS share,
    (shared.net_sales / shared.campaigns)::DECIMAL(18,10)                     AS net_sales,
    (shared.manufacturer_coupons / shared.campaigns)::DECIMAL(18,10)          AS manufacturer_coupons
FROM shared
JOIN canonical.campaign AS campaign ON campaign.campaign_id = shared.campaign_id
ORDER BY shared.sold_on, shared.basket_id, shared.line, shared.campaign_id

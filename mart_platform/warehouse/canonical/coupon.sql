-- DISTINCT removes the 4,872 exact copies of the delivery.
SELECT DISTINCT
    coupon_upc,
    campaign_id,
    product_id
FROM complete_journey.coupons
ORDER BY coupon_upc, campaign_id, product_id

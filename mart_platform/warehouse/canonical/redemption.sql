SELECT
    household_id,
    coupon_upc,
    campaign_id,
    redemption_date::DATE   AS redeemed_on
FROM complete_journey.coupon_redemptions
ORDER BY redeemed_on, household_id, coupon_upc, campaign_id

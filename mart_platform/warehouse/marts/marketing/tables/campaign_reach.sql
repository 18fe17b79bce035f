WITH targeted AS (
    SELECT campaign_id, count(*) AS households
    FROM canonical.campaign_target
    GROUP BY campaign_id
),

redeemed AS (
    SELECT campaign_id, count(DISTINCT household_id) AS households, count(*) AS redemptions
    FROM canonical.redemption
    GROUP BY campaign_id
)

SELECT
    campaign.campaign_id,
    campaign.campaign_type,
    campaign.start_on,
    campaign.end_on,
    coalesce(targeted.households, 0)                                             AS targeted,
    coalesce(redeemed.households, 0)                                             AS redeemers,
    coalesce(redeemed.redemptions, 0)                                            AS redemptions,
    (coalesce(redeemed.households, 0) / targeted.households)::DECIMAL(9,6)       AS redemption_rate
FROM canonical.campaign AS campaign
LEFT JOIN targeted ON targeted.campaign_id = campaign.campaign_id
LEFT JOIN redeemed ON redeemed.campaign_id = campaign.campaign_id
ORDER BY campaign.campaign_id

SELECT campaign_id || '|targeted' AS key, targeted AS value FROM marketing.campaign_reach
UNION ALL
SELECT campaign_id || '|redeemers', redeemers FROM marketing.campaign_reach
UNION ALL
SELECT campaign_id || '|redemptions', redemptions FROM marketing.campaign_reach

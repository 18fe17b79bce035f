SELECT DISTINCT
    campaign_id,
    household_id
FROM complete_journey.campaigns
ORDER BY campaign_id, household_id

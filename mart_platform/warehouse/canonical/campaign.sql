SELECT
    campaign_id,
    campaign_type,
    start_date::DATE   AS start_on,
    end_date::DATE     AS end_on
FROM complete_journey.campaign_descriptions
ORDER BY campaign_id

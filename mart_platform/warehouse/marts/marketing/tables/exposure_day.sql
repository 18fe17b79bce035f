-- All lines of a household on a day are exposed to the same campaigns, so the money is added up per household and day
-- before it is divided among them.
WITH bought AS (
    SELECT
        household_id,
        sold_on,
        sum(net_sales)::DECIMAL(18,2)   AS net_sales
    FROM canonical.basket
    GROUP BY household_id, sold_on
),

running AS (
    SELECT
        target.household_id,
        campaign.campaign_id,
        campaign.campaign_type,
        campaign.start_on,
        campaign.end_on
    FROM canonical.campaign_target AS target
    JOIN canonical.campaign AS campaign ON campaign.campaign_id = target.campaign_id
),

exposed AS (
    SELECT
        bought.household_id,
        bought.sold_on,
        coalesce(running.campaign_id, 0)                                           AS campaign_id,
        coalesce(running.campaign_type, 'none')                                    AS campaign_type,
        bought.net_sales,
        count(*) OVER (PARTITION BY bought.household_id, bought.sold_on)           AS campaigns
    FROM bought
    LEFT JOIN running
        ON running.household_id = bought.household_id
        AND bought.sold_on BETWEEN running.start_on AND running.end_on
)

SELECT
    sold_on,
    campaign_id,
    campaign_type,
    count(*)                                                              AS households,
    sum((net_sales / campaigns)::DECIMAL(18,10))::DECIMAL(28,10)          AS net_sales
FROM exposed
GROUP BY sold_on, campaign_id, campaign_type
ORDER BY sold_on, campaign_id

-- Every household that bought, told about itself or was sent a campaign. Redemptions are held against it, not
-- read: they are complete later than the sales, and would hold every mart's watermark back.
WITH named AS (
    SELECT household_id FROM canonical.basket
    UNION
    SELECT household_id FROM complete_journey.demographics
    UNION
    SELECT household_id FROM complete_journey.campaigns
)

SELECT
    named.household_id,
    known.household_id IS NOT NULL   AS has_demographics,
    known.age,
    known.income,
    known.home_ownership,
    known.marital_status,
    known.household_size,
    known.household_comp             AS composition,
    known.kids_count
FROM named
LEFT JOIN complete_journey.demographics AS known ON known.household_id = named.household_id
ORDER BY named.household_id

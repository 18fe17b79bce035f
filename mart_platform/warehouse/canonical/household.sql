-- Every household that any source names, with what is known about it.
WITH named AS (
    SELECT household_id FROM complete_journey.transactions
    UNION
    SELECT household_id FROM complete_journey.demographics
    UNION
    SELECT household_id FROM complete_journey.campaigns
    UNION
    SELECT household_id FROM complete_journey.coupon_redemptions
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

SELECT
    household_id                            AS household_key,
    household_id,
    has_demographics,
    coalesce(age, 'Unknown')                AS age,
    coalesce(income, 'Unknown')             AS income,
    coalesce(home_ownership, 'Unknown')     AS home_ownership,
    coalesce(marital_status, 'Unknown')     AS marital_status,
    coalesce(household_size, 'Unknown')     AS household_size,
    coalesce(composition, 'Unknown')        AS composition,
    coalesce(kids_count, 'Unknown')         AS kids_count
FROM canonical.household
UNION ALL
SELECT -1, NULL, false, 'Unknown', 'Unknown', 'Unknown', 'Unknown', 'Unknown', 'Unknown', 'Unknown'
ORDER BY household_key

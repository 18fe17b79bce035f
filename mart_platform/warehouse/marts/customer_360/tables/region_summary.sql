SELECT
    member.region,
    (extract(year FROM member.birth_date) // 10 * 10)::INTEGER       AS birth_decade,
    member.wants_marketing,
    count(*)                                                         AS members,
    sum(household.net_sales / household.members)::DECIMAL(18,2)      AS net_sales,
    sum(household.baskets / household.members)::DECIMAL(18,2)        AS baskets
FROM customer_360.dim_member AS member
JOIN customer_360.household_sales AS household ON household.household_key = member.household_key
GROUP BY ALL
ORDER BY ALL

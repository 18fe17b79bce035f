SELECT
    member.member_key,
    member.household_id                                     AS household_key,
    member.account,
    member.given_name || ' ' || member.family_name          AS name,
    member.email,
    member.phone,
    member.birth_date,
    member.postcode,
    member.region,
    member.channel,
    member.member_since,
    member.accounts,
    member.wants_marketing,
    member.wants_marketing AND member.email IS NOT NULL     AS is_mailable,
    household.income
FROM canonical.member AS member
LEFT JOIN canonical.household AS household ON household.household_id = member.household_id
ORDER BY member.member_key

-- Of what changes (name, addresses, household) the newest account that says anything counts; a birth date does not
-- change, so the first one counts. About marketing, the newest word on any account counts; of two on one day, the no.
WITH enrolled AS (
    SELECT
        account.member_key,
        enrolment.*
    FROM sim_loyalty.enrolments AS enrolment
    JOIN canonical.member_account AS account ON account.enrolment_id = enrolment.enrolment_id
    QUALIFY row_number() OVER (
        PARTITION BY enrolment.enrolment_id
        ORDER BY enrolment._delivered DESC, enrolment._row DESC
    ) = 1
),

people AS (
    SELECT
        member_key,
        max_by(household_id, enrolment_id)   AS household_id,
        max_by(account, enrolment_id)        AS account,
        count(*)                             AS accounts,
        max_by(given_name, enrolment_id)     AS given_name,
        max_by(family_name, enrolment_id)    AS family_name,
        max_by(email, enrolment_id)          AS email,
        max_by(phone, enrolment_id)          AS phone,
        min_by(birth_date, enrolment_id)     AS birth_date,
        max_by(postcode, enrolment_id)       AS postcode,
        max_by(region, enrolment_id)         AS region,
        min_by(channel, enrolment_id)        AS channel,
        min(enrolled_on)                     AS member_since
    FROM enrolled
    GROUP BY member_key
),

last_words AS (
    SELECT
        enrolled.member_key,
        consent.wants_marketing,
        consent.stated_on
    FROM sim_loyalty.consents AS consent
    JOIN enrolled ON enrolled.account = consent.account
    QUALIFY row_number() OVER (
        PARTITION BY enrolled.member_key
        ORDER BY consent.stated_on DESC, consent.wants_marketing, consent._delivered DESC, consent._row DESC
    ) = 1
)

SELECT
    people.member_key,
    people.household_id,
    people.account,
    people.accounts,
    people.given_name,
    people.family_name,
    people.email,
    people.phone,
    people.birth_date,
    people.postcode,
    people.region,
    people.channel,
    people.member_since,
    coalesce(last_words.wants_marketing, false)   AS wants_marketing,
    last_words.stated_on                          AS marketing_stated_on
FROM people
LEFT JOIN last_words ON last_words.member_key = people.member_key
ORDER BY people.member_key

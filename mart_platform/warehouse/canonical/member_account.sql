-- Two accounts are one person's when the birth date is the same (day and month may have changed places), both names
-- read alike (Bill is William), and they share the household, the e-mail address or the telephone number. Who is the
-- same as somebody who is the same as a third is the same as the third. The name by itself would not do: parents and
-- children share it; nor would birth date and address: twins have both in common.
WITH RECURSIVE nicknames (nickname, full_name) AS (
    VALUES
    ('Alex', 'Alexander'), ('Becky', 'Rebecca'), ('Ben', 'Benjamin'), ('Bill', 'William'), ('Bob', 'Robert'),
    ('Chris', 'Christopher'), ('Cindy', 'Cynthia'), ('Dan', 'Daniel'), ('Dave', 'David'), ('Debbie', 'Deborah'),
    ('Drew', 'Andrew'), ('Greg', 'Gregory'), ('Jack', 'John'), ('Jeff', 'Jeffrey'), ('Jenny', 'Jennifer'),
    ('Jess', 'Jessica'), ('Jim', 'James'), ('Joe', 'Joseph'), ('Josh', 'Joshua'), ('Kate', 'Katherine'),
    ('Ken', 'Kenneth'), ('Kim', 'Kimberly'), ('Liz', 'Elizabeth'), ('Mandy', 'Amanda'), ('Matt', 'Matthew'),
    ('Mike', 'Michael'), ('Nick', 'Nicholas'), ('Pat', 'Patricia'), ('Rick', 'Richard'), ('Ron', 'Ronald'),
    ('Sam', 'Samantha'), ('Steph', 'Stephanie'), ('Steve', 'Steven'), ('Sue', 'Susan'), ('Tim', 'Timothy'),
    ('Tina', 'Christina'), ('Tom', 'Thomas'), ('Tony', 'Anthony'), ('Vicky', 'Victoria'), ('Zach', 'Zachary')
),

enrolled AS (
    SELECT
        enrolment_id,
        account,
        household_id,
        given_name,
        family_name,
        email,
        phone,
        birth_date,
        enrolled_on
    FROM sim_loyalty.enrolments
    QUALIFY row_number() OVER (PARTITION BY enrolment_id ORDER BY _delivered DESC, _row DESC) = 1
),

compared AS (
    SELECT
        enrolled.enrolment_id,
        enrolled.household_id,
        enrolled.given_name,
        coalesce(nicknames.full_name, enrolled.given_name)   AS full_name,
        enrolled.family_name,
        enrolled.email,
        enrolled.phone,
        extract(year FROM enrolled.birth_date)   AS born_in,
        least(extract(month FROM enrolled.birth_date), extract(day FROM enrolled.birth_date))      AS born_smaller,
        greatest(extract(month FROM enrolled.birth_date), extract(day FROM enrolled.birth_date))   AS born_larger
    FROM enrolled
    LEFT JOIN nicknames ON nicknames.nickname = enrolled.given_name
),

alike AS (
    SELECT
        one.enrolment_id,
        other.enrolment_id   AS same_as
    FROM compared AS one
    JOIN compared AS other
        ON other.born_in = one.born_in
        AND other.born_smaller = one.born_smaller
        AND other.born_larger = one.born_larger
    WHERE
        other.enrolment_id <> one.enrolment_id
        AND jaro_winkler_similarity(other.family_name, one.family_name) >= 0.9
        AND (
            jaro_winkler_similarity(other.given_name, one.given_name) >= 0.9
            OR jaro_winkler_similarity(other.full_name, one.full_name) >= 0.9
            OR damerau_levenshtein(other.given_name, one.given_name) = 1
        )
        AND (
            other.household_id = one.household_id
            OR other.email = one.email
            OR other.phone = one.phone
        )
),

reached AS (
    SELECT enrolment_id, enrolment_id AS reaches FROM enrolled
    UNION
    SELECT reached.enrolment_id, alike.same_as
    FROM reached
    JOIN alike ON alike.enrolment_id = reached.reaches
)

SELECT
    enrolled.enrolment_id,
    enrolled.account,
    min(reached.reaches)   AS member_key,
    enrolled.enrolled_on
FROM enrolled
JOIN reached ON reached.enrolment_id = enrolled.enrolment_id
GROUP BY enrolled.enrolment_id, enrolled.account, enrolled.enrolled_on
ORDER BY enrolled.enrolment_id

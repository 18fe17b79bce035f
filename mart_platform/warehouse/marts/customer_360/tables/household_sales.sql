-- A household buys with the cards of all its members, and which of them held the card is not known. One whose members
-- have enrolled and not bought yet has a row too.
WITH households AS (
    SELECT household_id FROM canonical.household
    UNION
    SELECT household_id FROM canonical.member
),

members AS (
    SELECT
        household_id,
        count(*)                     AS members,
        min_by(region, member_key)   AS region
    FROM canonical.member
    GROUP BY household_id
),

bought AS (
    SELECT
        household_id,
        count(*)                        AS baskets,
        sum(net_sales)::DECIMAL(18,2)   AS net_sales,
        min(sold_on)                    AS first_sold_on,
        max(sold_on)                    AS last_sold_on
    FROM canonical.basket
    GROUP BY household_id
),

by_product AS (
    SELECT household_id, product_id, sum(net_sales) AS net_sales
    FROM canonical.sales_line
    GROUP BY household_id, product_id
),

favourites AS (
    SELECT
        by_product.household_id,
        product.department
    FROM by_product
    JOIN canonical.product AS product ON product.product_id = by_product.product_id
    GROUP BY by_product.household_id, product.department
    QUALIFY row_number() OVER (
        PARTITION BY by_product.household_id
        ORDER BY sum(by_product.net_sales) DESC, product.department
    ) = 1
),

targeted AS (
    SELECT household_id, count(*) AS campaigns
    FROM canonical.campaign_target
    GROUP BY household_id
),

redeemed AS (
    SELECT household_id, count(*) AS coupons
    FROM canonical.redemption
    GROUP BY household_id
)

SELECT
    household.household_id                  AS household_key,
    coalesce(members.region, 'Unknown')     AS region,
    coalesce(members.members, 0)            AS members,
    coalesce(bought.baskets, 0)             AS baskets,
    coalesce(bought.net_sales, 0)           AS net_sales,
    bought.first_sold_on,
    bought.last_sold_on,
    favourites.department                   AS favourite_department,
    coalesce(targeted.campaigns, 0)         AS campaigns,
    coalesce(redeemed.coupons, 0)           AS coupons_redeemed
FROM households AS household
LEFT JOIN members ON members.household_id = household.household_id
LEFT JOIN bought ON bought.household_id = household.household_id
LEFT JOIN favourites ON favourites.household_id = household.household_id
LEFT JOIN targeted ON targeted.household_id = household.household_id
LEFT JOIN redeemed ON redeemed.household_id = household.household_id
ORDER BY household.household_id

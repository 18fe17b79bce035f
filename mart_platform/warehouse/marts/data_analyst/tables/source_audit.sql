-- Reads the tables as they were landed: what is put right in canonical would not be seen there any more.
WITH lines AS (
    SELECT
        count(*)                                                                              AS lines,
        count(DISTINCT sold.basket_id)                                                        AS baskets,
        count(DISTINCT sold.household_id)                                                     AS households,
        count(DISTINCT sold.store_id)                                                         AS stores,
        count(DISTINCT sold.product_id)                                                       AS products_sold,
        count(*) FILTER (WHERE listed.product_id IS NULL)                                     AS orphan_lines,
        count(DISTINCT sold.product_id) FILTER (WHERE listed.product_id IS NULL)              AS orphan_products,
        count(*) FILTER (WHERE sold.quantity <= 0)                                            AS zero_quantity,
        count(*) FILTER (WHERE round(sold.sales_value, 2) = 0)                                AS zero_sales,
        count(*) FILTER (WHERE sold.sales_value <> round(sold.sales_value, 2))                AS float_dust,
        count(*) FILTER (
            WHERE
                sold.transaction_timestamp::DATE
                <> (sold.transaction_timestamp AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York')::DATE
        )                                                                                     AS utc_vs_local
    FROM complete_journey.transactions AS sold
    LEFT JOIN complete_journey.products AS listed ON listed.product_id = sold.product_id
),

distinct_coupons AS (
    SELECT DISTINCT coupon_upc, product_id, campaign_id
    FROM complete_journey.coupons
),

coupons AS (
    SELECT
        (SELECT count(*) FROM complete_journey.coupons) - (SELECT count(*) FROM distinct_coupons)   AS duplicates
),

products AS (
    SELECT count(*) FILTER (WHERE product_category IS NULL) AS without_category
    FROM complete_journey.products
),

demographics AS (
    SELECT count(DISTINCT household_id) AS households
    FROM complete_journey.demographics
)

SELECT 'lines' AS finding, 'transactions' AS found_in, false AS is_problem, 'Lines of baskets.' AS says, lines AS value
FROM lines
UNION ALL
SELECT 'baskets', 'transactions', false, 'Different baskets.', baskets
FROM lines
UNION ALL
SELECT 'households', 'transactions', false, 'Different households that bought.', households
FROM lines
UNION ALL
SELECT 'stores', 'transactions', false, 'Different stores that sold.', stores
FROM lines
UNION ALL
SELECT 'products_sold', 'transactions', false, 'Different products that were sold.', products_sold
FROM lines
UNION ALL
SELECT 'orphan_lines', 'transactions', true, 'Lines of products that the product master does not list.', orphan_lines
FROM lines
UNION ALL
SELECT 'orphan_products', 'transactions', true, 'Products that were sold and are not listed.', orphan_products
FROM lines
UNION ALL
SELECT 'zero_quantity', 'transactions', true, 'Lines with a quantity of 0 or less.', zero_quantity
FROM lines
UNION ALL
SELECT 'zero_sales', 'transactions', true, 'Lines whose sales value is 0 in cents.', zero_sales
FROM lines
UNION ALL
SELECT 'float_dust', 'transactions', true, 'Lines whose sales value is not in whole cents.', float_dust
FROM lines
UNION ALL
SELECT 'utc_vs_local', 'transactions', true, 'Lines whose day in UTC is not the day in the shops.', utc_vs_local
FROM lines
UNION ALL
SELECT 'duplicate_coupon_rows', 'coupons', true, 'Surplus copies of identical rows.', duplicates
FROM coupons
UNION ALL
SELECT 'products_without_category', 'products', true, 'Listed products without a category.', without_category
FROM products
UNION ALL
SELECT 'households_with_demographics', 'demographics', false, 'Households that told about themselves.', households
FROM demographics

-- Reads what was counted in the lines as they were delivered, and the sources that are small.
WITH lines AS (
    SELECT
        sum(lines)::BIGINT           AS lines,
        sum(orphan_lines)::BIGINT    AS orphan_lines,
        sum(zero_quantity)::BIGINT   AS zero_quantity,
        sum(zero_sales)::BIGINT      AS zero_sales,
        sum(float_dust)::BIGINT      AS float_dust,
        sum(utc_vs_local)::BIGINT    AS utc_vs_local
    FROM canonical.till_day
),

baskets AS (
    SELECT
        count(*)                       AS baskets,
        count(DISTINCT household_id)   AS households,
        count(DISTINCT store_id)       AS stores
    FROM canonical.basket
),

sold_products AS (
    SELECT DISTINCT product_id
    FROM canonical.sales_line
),

products_sold AS (
    SELECT
        count(*)                                            AS sold,
        count(*) FILTER (WHERE listed.product_id IS NULL)   AS orphans
    FROM sold_products
    LEFT JOIN complete_journey.products AS listed ON listed.product_id = sold_products.product_id
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
FROM baskets
UNION ALL
SELECT 'households', 'transactions', false, 'Different households that bought.', households
FROM baskets
UNION ALL
SELECT 'stores', 'transactions', false, 'Different stores that sold.', stores
FROM baskets
UNION ALL
SELECT 'products_sold', 'transactions', false, 'Different products that were sold.', sold
FROM products_sold
UNION ALL
SELECT 'orphan_lines', 'transactions', true, 'Lines of products that the product master does not list.', orphan_lines
FROM lines
UNION ALL
SELECT 'orphan_products', 'transactions', true, 'Products that were sold and are not listed.', orphans
FROM products_sold
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

WITH best AS (
    SELECT household_id, net_sales, baskets, last_sold_on
    FROM data_analyst.household_value
    WHERE value_rank <= 5
)

SELECT household_id || '|net_sales' AS key, net_sales::VARCHAR AS value FROM best
UNION ALL
SELECT household_id || '|baskets', baskets::VARCHAR FROM best
UNION ALL
SELECT household_id || '|last_date', last_sold_on::VARCHAR FROM best

SELECT
    l_orderkey                                                          AS order_key,
    l_linenumber                                                        AS line,
    o_custkey                                                           AS customer_key,
    l_suppkey                                                           AS supplier_key,
    l_partkey                                                           AS part_key,
    buyer.n_name                                                        AS customer_nation,
    r_name                                                              AS customer_region,
    seller.n_name                                                       AS supplier_nation,
    p_brand                                                             AS brand,
    o_orderdate                                                         AS ordered_on,
    l_shipdate                                                          AS shipped_on,
    l_commitdate                                                        AS promised_on,
    l_receiptdate                                                       AS received_on,
    o_orderpriority                                                     AS priority,
    l_shipmode                                                          AS ship_mode,
    l_returnflag                                                        AS return_flag,
    l_quantity                                                          AS quantity,
    l_extendedprice                                                     AS gross_amount,
    l_discount                                                          AS discount,
    (l_extendedprice * (1 - l_discount))::DECIMAL(18,4)                 AS net_amount,
    (ps_supplycost * l_quantity)::DECIMAL(18,4)                         AS cost,
    (l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity)::DECIMAL(18,4) AS profit
FROM tpch.lineitem
JOIN tpch.orders ON o_orderkey = l_orderkey
JOIN tpch.customer ON c_custkey = o_custkey
JOIN tpch.nation AS buyer ON buyer.n_nationkey = c_nationkey
JOIN tpch.region ON r_regionkey = buyer.n_regionkey
JOIN tpch.supplier ON s_suppkey = l_suppkey
JOIN tpch.nation AS seller ON seller.n_nationkey = s_nationkey
JOIN tpch.part ON p_partkey = l_partkey
JOIN tpch.partsupp ON ps_partkey = l_partkey AND ps_suppkey = l_suppkey

SELECT quarter || '|gross_shelf' AS key, gross_shelf AS value FROM finance.bridge_quarter
UNION ALL
SELECT quarter || '|loyalty_discount', loyalty_discount FROM finance.bridge_quarter
UNION ALL
SELECT quarter || '|coupon_match', coupon_match FROM finance.bridge_quarter
UNION ALL
SELECT quarter || '|net_sales', net_sales FROM finance.bridge_quarter
UNION ALL
SELECT quarter || '|manufacturer_coupons', manufacturer_coupons FROM finance.bridge_quarter
UNION ALL
SELECT quarter || '|cash_from_customers', cash_from_customers FROM finance.bridge_quarter

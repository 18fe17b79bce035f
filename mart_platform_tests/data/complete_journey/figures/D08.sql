SELECT month AS key, retention AS value
FROM data_analyst.cohort_retention
WHERE cohort_month = '2017-01'

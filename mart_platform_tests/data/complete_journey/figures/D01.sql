SELECT finding AS key, value
FROM data_analyst.source_audit
WHERE finding <> 'float_dust'

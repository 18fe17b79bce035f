-- Each column is named, so that one that is added upstream changes nothing here. Keep those that are needed.
${left_out}SELECT
$selected
FROM $source

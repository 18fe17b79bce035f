"""The functions that may be called, by DuckDB's names, and what is known of them.

A function is in the list because somebody looked at it: it reads nothing but its arguments, changes nothing,
says nothing about the server, and cannot be made to run other SQL.
"""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


AGGREGATES = _names(
    """
    any_value approx_count_distinct approx_quantile arg_max arg_min argmax argmin array_agg avg bit_and
    bit_or bit_xor bool_and bool_or corr count count_if countif covar_pop covar_samp entropy favg first
    fsum geomean geometric_mean group_concat grouping grouping_id histogram kurtosis last list listagg
    mad max max_by mean median min min_by mode product quantile quantile_cont quantile_disc regr_avgx
    regr_avgy regr_count regr_intercept regr_r2 regr_slope sem skewness stddev stddev_pop stddev_samp
    string_agg sum var_pop var_samp variance weighted_avg
    """
)

WINDOWS = _names(
    """
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
    """
)

NUMBERS = _names(
    """
    abs acos asin atan atan2 cbrt ceil ceiling cos degrees divide even exp fdiv floor fmod gcd greatest
    isfinite isinf isnan lcm least ln log log10 log2 mod pi pow power radians round round_even sign sin
    sqrt tan trunc
    """
)

TEXTS = _names(
    """
    array_to_string ascii char_length character_length chr concat concat_ws contains damerau_levenshtein
    editdist3 ends_with format_bytes hamming instr jaccard jaro_similarity jaro_winkler_similarity lcase
    left len length levenshtein lower lpad ltrim md5 nfc_normalize ord position prefix regexp_escape
    regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace
    regexp_split_to_array repeat replace reverse right rpad rtrim sha1 sha256 split_part starts_with
    str_split string_split string_split_regex string_to_array strip_accents strlen strpos substr
    substring suffix translate trim ucase unicode upper
    """
)

DATES = _names(
    """
    age century date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day
    dayname dayofmonth dayofweek dayofyear days_in_month decade epoch epoch_ms epoch_us era hour isodow
    isoyear julian last_day make_date make_time make_timestamp microsecond millennium millisecond minute
    month monthname quarter second strftime strptime time_bucket to_days to_hours to_minutes to_months
    to_quarters to_seconds to_timestamp to_weeks to_years try_strptime week weekday weekofyear year
    yearweek
    """
)

NESTED = _names(
    """
    array_contains array_extract array_has array_has_all array_has_any array_length array_position
    array_slice cardinality element_at flatten list_append list_avg list_concat list_contains list_count
    list_distinct list_element list_extract list_has list_has_all list_has_any list_max list_min
    list_position list_prepend list_reverse list_reverse_sort list_slice list_sort list_sum list_unique
    list_value map_extract map_keys map_values row struct_extract struct_pack unnest
    """
)

CONDITIONS = frozenset({"coalesce", "ifnull", "nullif", "typeof"})

SERIES = frozenset({"generate_series", "range"})
"""Of literal bounds only, and no more than ``LONGEST_SERIES`` values; they may stand in FROM too."""

CLOCK = frozenset({"current_localtimestamp", "get_current_timestamp", "now", "today"})
"""What they give differs from one moment to the next."""

FUNCTIONS = AGGREGATES | WINDOWS | NUMBERS | TEXTS | DATES | NESTED | CONDITIONS | SERIES | CLOCK

LONGEST_SERIES = 1_000_000
LONGEST_PADDING = 1_000

PADDING = frozenset({"lpad", "repeat", "rpad"})
"""Their second argument, how long or how often, is a literal of at most ``LONGEST_PADDING``."""

UNBOUNDED = _names(
    """
    array_agg flatten group_concat histogram list list_append list_concat list_prepend listagg
    regexp_replace repeat string_agg translate
    """
)
"""One call of them can grow to what the engine cannot stop in time, so they run beside dashboards only."""

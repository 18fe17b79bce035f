"""Every function that may be called comes through the gate with the meaning that DuckDB gives it."""

import pytest
from sqlglot import exp

from mart_platform.gate.allowing import allow, call_name
from mart_platform.gate.functions import FUNCTIONS
from mart_platform.gate.nodes import NODES
from mart_platform.gate.parsing import parse
from mart_platform_tests.gate.lake import Lake, policy

AUDITOR = policy("sales.auditor")
PHYSICAL = '"sales@3"."main"."staff"'

VALUES = """
abs(id - 3)
acos(0.5)
asin(0.5)
atan(score)
atan2(score, 2)
cbrt(27)
ceil(rate)
ceiling(rate)
cos(score)
degrees(score)
divide(7, id)
even(rate)
exp(1.5)
fdiv(7, 2)
floor(rate)
fmod(7, 2)
gcd(12, id)
greatest(id, 2)
isfinite(1.5::double)
isinf(1.5::double)
isnan(score)
lcm(4, id)
least(id, 2)
ln(2)
log(100)
log10(100)
log2(8)
mod(7, 3)
pi()
pow(id, 2)
power(2, 10)
radians(180)
round(rate, 1), round(rate)
round_even(2.5, 0)
sign(rate)
sin(1)
sqrt(id)
tan(1)
trunc(rate)
array_to_string(tags, '-')
ascii('a')
char_length(name), character_length(name)
chr(65)
concat(name, '-', region)
concat_ws('-', name, region)
contains(name, 'A')
damerau_levenshtein('abc', 'acb')
editdist3('abc', 'abd')
ends_with(name, 'a')
format_bytes(123456)
hamming('abc', 'abd')
instr(region, 'U')
jaccard('abc', 'abd')
jaro_similarity('abc', 'abd')
jaro_winkler_similarity('abc', 'abd')
lcase(region), lower(region)
left(region, 1), right(region, 1)
len(region), length(region), strlen('é'), length(tags)
levenshtein('abc', 'abd')
lpad(region, 5, '.'), rpad(region, 5, '.')
ltrim(' a'), rtrim('a '), trim(' a '), trim('xax', 'x'), trim(both 'x' from 'xax')
md5(region), sha1(region), sha256(region)
nfc_normalize(region)
ord('a'), unicode('a')
position('U' in region), strpos(region, 'U')
prefix(region, 'E'), suffix(region, 'U')
regexp_escape('a.b')
regexp_extract(region, '([A-Z])([A-Z])', 2), regexp_extract(note, '[0-9]')
regexp_extract_all('a1b2', '[0-9]')
regexp_full_match(note, '[0-3]')
regexp_matches(note, '[0-9]')
regexp_replace('a1b1', '1', '2'), regexp_replace('a1b1', '1', '2', 'g')
regexp_split_to_array('a1b', '[0-9]'), string_split_regex('a1b', '[0-9]')
repeat(region, 3)
replace(region, 'E', 'e')
reverse(region)
split_part('a-b-c', '-', 2)
starts_with(region, 'E')
str_split('a-b', '-'), string_split('a-b', '-'), string_to_array('a-b', '-')
strip_accents('é')
substr(region, 2), substring(region, 1, 1), substring(region from 1 for 1)
translate(region, 'E', 'A')
ucase(region), upper(region)
age(timestamp '2020-03-01', timestamp '2020-01-01')
century(started), decade(started), millennium(started), era(started)
date_add(date '2020-01-31', interval 1 month)
date_diff('month', date '2020-01-31', started::date), datediff('day', date '2020-01-01', started::date)
date_part('year', started), datepart('month', started)
date_sub('month', date '2020-01-31', started::date), datesub('day', date '2020-01-01', started::date)
date_trunc('month', started), datetrunc('year', started)
day(started), dayofmonth(started), dayofweek(started), dayofyear(started), weekday(started), isodow(started)
dayname(started), monthname(started)
days_in_month(started::date), last_day(started::date)
epoch(started), epoch_ms(started), epoch_us(started), julian(started)
hour(started), minute(started), second(started), millisecond(started), microsecond(started)
isoyear(started), week(started), weekofyear(started), yearweek(started)
make_date(2020, 1, 31), make_time(1, 2, 3.5), make_timestamp(2020, 1, 31, 1, 2, 3.5), make_timestamp(1500000)
month(started), quarter(started), year(started)
strftime(started, '%Y/%m/%d %H'), strftime(started, '%a %-d. %b')
strptime('2020/01/31', '%Y/%m/%d'), try_strptime('x', '%Y')
time_bucket(interval 1 month, started)
to_days(2), to_hours(2), to_minutes(2), to_months(2), to_quarters(1), to_seconds(2), to_weeks(2), to_years(2)
to_timestamp(1500000000)
array_contains(tags, 'a'), array_has(tags, 'a'), list_contains(tags, 'a'), list_has(tags, 'a')
array_has_all(tags, ['a']), array_has_any(tags, ['a']), list_has_all(tags, ['a']), list_has_any(tags, ['a'])
array_extract(tags, 1), list_extract(tags, 1), list_element(tags, 1)
array_length(tags), cardinality(map([1], [2]))
array_position(tags, 'b'), list_position(tags, 'b')
array_slice(tags, 1, 1), list_slice(tags, 1, 1)
element_at(map(['a'], [1]), 'a'), map_extract(map(['a'], [1]), 'a')
flatten([[1], [2]])
list_append(tags, 'z'), list_prepend('z', tags), list_concat(tags, ['z'])
list_avg([1, 2]), list_count([1, null]), list_max([1, 2]), list_min([1, 2]), list_sum([1, 2])
list_distinct([1, 1]), list_unique([1, 1])
list_reverse([1, 2]), list_sort([2, 1]), list_reverse_sort([1, 2]), list_sort([2, null, 1], 'desc', 'nulls first')
list_value(1, 2)
map_keys(map(['a'], [1])), map_values(map(['a'], [1]))
row(1, 2)
struct_extract(home, 'city'), home.city, (home).city, home['city']
struct_pack(a := id, b := name)
coalesce(name, 'none'), ifnull(name, 'none'), nullif(name, 'x')
typeof(rate)
generate_series(1, 3), range(3), range(1, 10, 2)
unnest([1, 2])
current_date > date '2020-01-01', today() > date '2020-01-01', current_date - 30 > date '2020-01-01'
now() > timestamptz '2020-01-01', current_timestamp > timestamptz '2020-01-01'
get_current_timestamp() > timestamptz '2020-01-01', current_localtimestamp() > timestamp '2020-01-01'
extract(year from started), extract(epoch from started), extract('month' from started)
""".strip().splitlines()

SYNTAX = """
7 / 2, 7 // 2, 7 % 3, -7 % 3, -id, 2 * 3 + 4, 2 * (3 + 4), 7 - 3 - 2, 7 / 2 / 2
1e3, 1., 1_000, 12345678901234567890, 1e-3
'it''s', 'a\\b', $$it's$$, $x$ $$ $x$
name || '-' || region
id between 2 and 3, id not between 2 and 3, not id between 2 and 3
id in (1, 2), id not in (1, 2), not id in (1, 2), (id, region) in ((1, 'EU'))
id in (select 1), id not in (select 1), id = any (select 2), id > all (select 2), id = any([1, 2])
name is null, name is not null, name isnull, name notnull, active is true, active is not false
name like 'A%', name not like 'A%', not name like 'A%', name ilike 'a%', name like 'A!%' escape '!'
note similar to '[0-2]'
name is distinct from region, name is not distinct from region
case when id > 2 then 'a' when id > 1 then 'b' else 'c' end, case id when 1 then 'x' end, if(id > 1, 1, 2)
id <> 1, id != 1, id >= 2, id <= 2, id == 2, not active, not not active, active and id > 1 or id = 3, active and (id > 1 or id = 3), not active or id = 1
cast(id as bigint), id::varchar, id::double, rate::decimal(12, 4), try_cast(name as integer), rate::decimal
'2020-01-31'::date, date '2020-01-31', timestamp '2020-01-31 10:00', timestamptz '2020-01-31 10:00:00+00'
started::date, started::time, '1 day'::interval, true::int, 'true'::bool, ['1']::int[], 1::tinyint, 1::hugeint
{'a': 1, 'b': 'x'}, {'a': {'b': [1]}}, [1, 2, 3], [], ['a']
tags[1], tags[-1], tags[1:2], tags[:1], tags[2:], 'abc'[2], [1, 2, 3][2]
interval 3 days, interval '3 days 2 hours', interval '3' month, interval (id) day, 3 * interval 1 day
started + interval 1 day, started - interval '2 hours', date '2020-01-31' + 1, date '2020-03-01' - date '2020-01-01'
exists (select 1), not exists (select 1 where false), (select max(x) from (values (1), (2)) t(x))
id as "Mixed Case", id as order_, id x, id as "select"
""".strip().splitlines()

AGGREGATES = """
any_value(region), first(id order by id), last(id order by id)
approx_count_distinct(region)
approx_quantile(id, 0.5)
arg_max(name, id), arg_min(name, id), argmax(name, id), argmin(name, id), max_by(name, id), min_by(name, id)
array_agg(id order by id), list(id order by id desc)
avg(rate), mean(id), avg(id) filter (where id > 1), avg(distinct id)
bit_and(id), bit_or(id), bit_xor(id)
bool_and(active), bool_or(active)
corr(id, rate), covar_pop(id, rate), covar_samp(id, rate)
count(*), count(name), count(distinct region), count(*) filter (where active), count(), count(distinct (id, region))
count_if(active), countif(active)
entropy(region)
favg(rate), fsum(rate), geomean(id), geometric_mean(id)
group_concat(region, '-'), listagg(region, ',' order by id), string_agg(region), string_agg(note, ';' order by id)
histogram(region)
kurtosis(id), skewness(id), mad(id), sem(id)
max(id), min(id), max(id, 2), min(id, 2), max(name), sum(id), sum(rate), sum(distinct id)
median(id), mode(region), product(id)
quantile(id, 0.5), quantile_cont(id, 0.5), quantile_disc(id, [0.25, 0.75]), quantile_cont(rate, 0.25)
regr_avgx(id, rate), regr_avgy(id, rate), regr_count(id, rate), regr_intercept(id, rate)
regr_r2(id, rate), regr_slope(id, rate)
stddev(id), stddev_pop(id), stddev_samp(id), variance(id), var_pop(id), var_samp(id)
weighted_avg(id, 1)
""".strip().splitlines()

WINDOWED = """
row_number() over (order by id), rank() over (order by region), dense_rank() over (order by region)
cume_dist() over (order by id), percent_rank() over (order by id), ntile(2) over (order by id)
lag(id) over (order by id), lag(id, 2, 0) over (order by id), lead(id, 1) over (partition by region order by id)
first_value(name) over (order by id), last_value(name ignore nulls) over (order by id), nth_value(id, 2) over (order by id)
last_value(name respect nulls) over (order by id rows between unbounded preceding and unbounded following)
sum(id) over (order by id rows between 1 preceding and current row), sum(id) over (partition by region)
sum(id) over (order by id range between 1 preceding and 1 following exclude current row)
sum(id) over (order by id groups between unbounded preceding and current row exclude ties)
avg(rate) over w, count(*) filter (where id > 1) over (order by id)
first_value(name ignore nulls) over (order by id desc nulls first)
""".strip().splitlines()

GROUPED = """
select region, grouping(region) g, count(*) from sales.staff group by rollup (region) order by all
select region, active, grouping_id(region, active), count(*) from sales.staff group by cube (region, active) order by all
select region, active, count(*) from sales.staff group by grouping sets ((region), (active), ()) order by all
""".strip().splitlines()

EXAMPLES = [
    *(f"SELECT {values} FROM sales.staff WHERE region = 'EU' ORDER BY id" for values in [*VALUES, *SYNTAX]),
    *(f"SELECT {values} FROM sales.staff WHERE region = 'EU' AND id < 4" for values in AGGREGATES),
    *(
        f"SELECT {values} FROM sales.staff WHERE region = 'EU' WINDOW w AS (ORDER BY id) ORDER BY id"
        for values in WINDOWED
    ),
    *GROUPED,
]


@pytest.mark.parametrize("sql", EXAMPLES)
def test_a_call_gives_what_duckdb_gives(lake: Lake, sql: str) -> None:
    bare = lake.run(sql.replace("sales.staff", PHYSICAL), ordered=True)
    outcome = lake.ask(sql, AUDITOR)
    assert outcome[0] == "rows", outcome
    types, rows = outcome[1:]
    assert ([kind for _, kind in types], sorted(rows)) == ([kind for _, kind in bare[0]], sorted(bare[1]))


def test_every_function_in_the_list_is_tried_here() -> None:
    called = {call_name(call) for sql in EXAMPLES for call in parse(sql).tree.find_all(exp.Anonymous)}
    typed = {
        "ceil",
        "ceiling",
        "floor",
        "max",
        "min",
        "string_agg",
        "group_concat",
        "listagg",
        "arg_max",
        "arg_min",
    }
    typed |= {
        "argmax",
        "argmin",
        "max_by",
        "min_by",
        "quantile",
        "quantile_cont",
        "quantile_disc",
        "approx_quantile",
    }
    typed |= {"position", "substring", "trim", "chr", "first_value", "last_value", "nth_value", "lag", "lead"}
    assert called - FUNCTIONS == set()
    assert FUNCTIONS - called - typed == set()


def test_every_construct_in_the_list_is_tried_here_or_among_queries() -> None:
    nodes = {type(node) for sql in [*EXAMPLES, *QUERIES] for node in parse(sql).tree.walk()}
    assert set(NODES) - nodes == set()


@pytest.mark.parametrize("sql", EXAMPLES)
def test_what_is_tried_here_is_allowed(sql: str) -> None:
    allow(parse(sql).tree)


QUERIES = """
with a as (select 1 as x), b as materialized (select x from a) select * from b union all select 2 order by x limit 3
select * from sales.staff s join sales.shops h using (region) where s.id = $1 offset 2
select * from sales.staff s left join sales.shops h on s.region = h.region order by h.shop desc nulls last
select distinct on (region) region, id from sales.staff intersect select 'EU', 1 except select 'US', 2
select * from (values (1, 2)) t(a, b), unnest([1]) u(c), lateral (select a + c as d) l, range(3) r(e)
select x::struct(a int, b varchar), row(1).a from (select 1 as x)
select region, count(*) from sales.staff group by all having count(*) > 1 qualify row_number() over () = 1
select current_localtimestamp(), localtimestamp
""".strip().splitlines()

select * from "sales@3"."main"."staff"
select * from "sales@3".staff
select * from "sales@3".main.staff
select * from memory.main.staff
select * from main.staff
select * from staff
select * from "sales"."staff" union all select * from "sales@5"."staff"
select salary from sales.staff
select s.salary, s.name, s.code from sales.staff as s
select max(salary) from sales.staff group by all
select code from sales.staff where code = 'c1'
select count(*) from sales.staff where name like '%canary%'
select count(*) from sales.staff where born > date '1990-06-01'
select postcode from sales.staff where postcode > '12c'
select * exclude (id) from sales.staff
select * replace (salary + 1 as id) from sales.staff
select * rename (salary as pay) from sales.staff
select columns(*) from sales.staff
select columns('sal.*') from sales.staff
select columns(c -> c like 'sal%') from sales.staff
select staff from sales.staff
select s from sales.staff s
select unnest(s) from sales.staff s
select to_json(s) from sales.staff s
select s::varchar from sales.staff s
select row_to_json(s) from sales.staff s
select sales.staff.salary from sales.staff
select sales.staff from sales.staff
select rowid from sales.staff
select "rowid" from sales.staff
select filename from sales.staff
select file_row_number from sales.staff
select #1, #2 from sales.staff
select "staff@".salary from sales.staff
select "staff@"."salary" from (select 1) "staff@", lateral (select * from sales.staff) l
select * from (select 'US' as region) staff, lateral (select * from sales.staff) l
select * from (select 'EU' as region, 1 as households) groups, lateral (select * from sales.groups) l
select l.* from (select 'EU' region) "staff@", lateral (from sales.staff) l
with "staff@" as (select 'EU' region) select * from "staff@", sales.staff
with staff as (select 'EU' as region) select * from sales.staff, staff
with territories as (select 'APAC' as region, 'ada' as manager) select * from sales.staff
with sales as (select 1) select * from sales.secrets
with secrets as (select * from sales.secrets) select * from secrets
with a as (select * from b), b as (select 1) select * from a
with a as (select 1) select * from (with b as (select 2) select * from a, b), b
with recursive a as (select 1 as n union all select n + 1 from a where n < 3) select * from a, sales.secrets
with recursive a as (select x from hr.payroll union all select x from a where false) select * from a
select (select y from hr.payroll limit 1)
select exists (select 1 from hr.payroll where x > 5)
select * from sales.shops where exists (from sales.secrets)
select * from sales.shops where shop in (select x from sales.secrets)
select * from sales.shops where shop = any (select x from hr.payroll)
select * from sales.shops order by (select max(x) from hr.payroll)
select * from sales.shops limit (select max(x) from hr.payroll)
select * from sales.shops limit (select count(*) from sales.territories)
select * from sales.shops offset (select count(*) from hr.payroll)
select sum(shop) over (order by shop rows between (select x from hr.payroll) preceding and current row) from sales.shops
select count(*) filter (where exists (from hr.payroll)) from sales.shops
select string_agg(y, ',') from hr.payroll
select * from sales.shops natural join hr.payroll
select * from sales.shops join hr.payroll using (x)
select * from sales.shops asof join hr.payroll on shop >= x
select * from sales.shops positional join sales.staff
select * from sales.shops, lateral (select * from hr.payroll) l
select * from (sales.shops join hr.payroll on true)
select * from sales.shops union by name select * from hr.payroll
from hr.payroll
from (from hr.payroll)
table hr.payroll
from hr.payroll select x |> where x > 1
values ((select x from hr.payroll))
select * from (values ((select y from hr.payroll))) t(a)
describe hr.payroll
summarize sales.staff
select * from (describe sales.staff)
select * from (summarize sales.staff)
select * from (show tables)
show databases
pivot sales.staff on salary using count(*)
unpivot sales.staff on columns(*) into name n value v
select * from sales.staff pivot (count(*) for region in ('EU'))
select * from sales.staff unpivot (v for k in (id, salary))
select * from sales.staff at (version => 1)
select * from sales.staff at (timestamp => now())
select * from sales.staff tablesample 50%
select * from sales.staff using sample 2 rows
select distinct on (salary) id from sales.staff
select id from sales.staff group by id, salary
select id from sales.staff order by salary
select id, row_number() over (order by salary) from sales.staff
select id from sales.staff qualify max(salary) over () > 900000
select id from sales.staff where cast(note as integer) = 1
select id from sales.staff where note::integer = 1
select id from sales.staff where integer '1' = note::int
select id from sales.staff where id + 2147483640 > 0
select id from sales.staff where id * 1000 > 0
select id from sales.staff where -id > 0
select id from sales.staff where abs(id) > 0
select id from sales.staff where rate * 99999999999999999999 > 0
select id from sales.staff where cast(rate as decimal(4,1)) > 0
select id from sales.staff where rate = 1.23456789012345678901234567890123456
select id from sales.staff where started > born
select id from sales.staff where born + 1 > date '2000-01-01'
select id from sales.staff where started + interval 300000 year > started
select id from sales.staff where date_trunc('year', started) > timestamp '2000-01-01'
select date_trunc('month', started) from sales.staff
select date_trunc('month', born) from sales.staff
select id from sales.staff where started::timestamptz > now()
select id from sales.staff where seen > started
select id from sales.staff where grade = id + 1
select id from sales.staff where grade + 1 > 0
select id from sales.staff where note = 5
select id from sales.staff where note > id
select id from sales.staff where note in (1, 2)
select id from sales.staff where note between 1 and 2
select id from sales.staff where coalesce(note, 1) = 1
select id from sales.staff where case when note = 1 then true else false end
select id from sales.staff where regexp_matches(note, note)
select id from sales.staff where note similar to note
select id from sales.staff where note like note escape note
select id from sales.staff where note like 'a%' escape 'ab'
select id from sales.staff where substring(note, id, 1) = 'a'
select id from sales.staff where left(note, id) = 'a'
select id from sales.staff where right(note, grade) = 'a'
select id from sales.staff where repeat(note, id) = 'a'
select id from sales.staff where lpad(note, 2000000000, 'x') = 'a'
select id from sales.staff where chr(id) = 'a'
select id from sales.staff where tags[id] = 'a'
select id from sales.staff where tags[1:id] = tags
select id from sales.staff where note[id] = 'a'
select id from sales.staff where to_timestamp(score) > now()
select id from sales.staff where make_date(id, 1, 1) > date '2000-01-01'
select id from sales.staff where strptime(note, '%Y') > timestamp '2000-01-01'
select id from sales.staff where sqrt(id) > 1
select id from sales.staff where ln(score) > 1
select id from sales.staff where log(rate) > 1
select id from sales.staff where exp(score) > 1
select id from sales.staff where pow(id, 5) > 1
select id from sales.staff where gcd(id, 0) = 1
select id from sales.staff where id // 0 = 1
select id from sales.staff where id % 0 = 1
select id from sales.staff where sin(score) > 0
select id from sales.staff where error(note) is null
select id from sales.staff where home.floor + 1 > 0
select id from sales.staff where home.floor::tinyint > 0
select id from sales.staff where (home).floor * 2 > 0
select id from sales.staff where struct_extract(home, 'floor') + 1 > 0
select id from sales.staff where home > {'city': 1, 'floor': 'x'}
select id from sales.staff where tags = [1]
select id from (select id, cast(note as integer) n from sales.staff) t where n > 1
select id from (select id, grade + 1 as region from sales.staff) t where region > 'a'
select region from (select grade + 1 as region from sales.staff union all select 1) where region = 'x'
select region from (select region from sales.staff union all select note::int::varchar from sales.staff) t where region = 'x'
with t(region) as (select grade * 2 from sales.staff) select * from t where region > 5
with t(id, region) as (select id, id + 2147483647 from sales.staff) select id from t where region > 5
select t.b from sales.staff as t(a, b, c) where b > 1
select id from sales.staff t1 join sales.staff t2 using (id) where t1.grade + t2.grade > 0
select s.id from sales.staff s join sales.shops h on s.id + h.shop = 3
select s.id from sales.staff s join sales.shops h on s.note = h.shop
select s.id from sales.staff s semi join sales.shops h on s.note::int = h.shop
select s.id from sales.staff s left join sales.shops h on s.born = h.opened + s.id
select h.shop, (select max(s.id) from sales.staff s where s.note::int = h.shop) from sales.shops h
select h.shop, (select s.id from sales.staff s where s.region = h.region) from sales.shops h
select region, count(*) from sales.staff group by region having max(note::int) > 0
select region, sum(id + 2147483640) from sales.staff group by region
select sum(grade + 1) from sales.staff where region = 'EU'
select sum(cast(note as int)) from sales.staff
select sum(id) filter (where note::int > 0) from sales.staff
select max(id) over (partition by note::int) from sales.staff
select id from sales.staff order by note::int
select distinct note::int from sales.staff
select count(distinct id + 2147483647) from sales.staff
select id from sales.staff where (id, note) in ((1, 2))
select id from sales.staff where (id, note) = (1, 2)
select id from sales.staff where id in (select note::int from sales.staff)
select id from sales.staff where note in (select id from sales.staff)
select id from sales.staff where id = (select max(note)::int from sales.staff)
select id from sales.staff where not exists (select 1 from sales.staff t where t.note::int = staff.id)
select id from sales.staff where list_filter(tags, x -> x::int > 0) = []
select [x::int for x in tags] from sales.staff
select list_transform(tags, lambda x: x::int) from sales.staff
select list_reduce([1], (a, b) -> (select max(x) from hr.payroll))
select id from sales.staff where try(note::int) = 1
select id from sales.staff where try_cast(note as integer) = 1
select id from sales.staff where note::int is null limit 1
select id from sales.staff where null and note::int = 1
select id from sales.staff where false and error('x')
select id from sales.staff where region = 'EU' and note::int = 1
select id from sales.staff where region = 'APAC' or note::int = 1
select id from sales.staff collate nocase
select id from sales.staff where name collate nocase = 'a'
select id from sales.staff where 'x'::region = 'x'
select id::sales.staff from sales.staff
select 'staff'::regclass
select cast('a' as enum('a', 'b'))
select note::json from sales.staff
select json_execute_serialized_sql('{}')
select json_serialize_sql('select 1')
select json_serialize_plan('select * from sales.staff')
select getvariable('mask_inner')
select GETVARIABLE('mask_outer')
select "getvariable"('mask_inner')
select main.getvariable('mask_inner')
select system.main.getvariable('mask_inner')
select 'mask_inner'.getvariable()
select current_setting('TimeZone')
select current_query()
select current_user, session_user, current_catalog, current_schema()
select current_database()
select version()
select txid_current()
select pg_typeof(1)
select random(), uuid(), gen_random_uuid()
select nextval('s'), currval('s')
select setseed(0.5)
select sleep_ms(1000)
select pg_sleep(1)
select write_log('x')
select hash(note) from sales.staff
select md5_number('x')
select create_sort_key(note, 'asc') from sales.staff
select vector_type(id) from sales.staff
select stats(id) from sales.staff
select can_cast_implicitly(id, 1) from sales.staff
select constant_or_null(1, salary) from sales.staff
select list_aggregate([1], 'histogram')
select in_search_path('main', 'x')
select has_table_privilege('x', 'select')
select duckdb_tables()
select * from duckdb_tables()
select * from duckdb_settings()
select * from duckdb_variables()
select * from duckdb_secrets()
select * from duckdb_functions()
select * from duckdb_views()
select * from duckdb_databases()
select * from duckdb_columns()
select * from duckdb_prepared_statements()
select * from duckdb_temporary_files()
select * from duckdb_memory()
select * from duckdb_logs
select * from pragma_database_size()
select * from pragma_table_info('"sales@3".main.staff')
select * from pragma_storage_info('"sales@3".main.staff')
select * from pragma_version()
select * from information_schema.tables
select * from information_schema.columns
select * from pg_catalog.pg_class
select * from pg_class
select * from pg_tables
select * from sqlite_master
select * from system.main.duckdb_tables
select * from temp.main.x
select * from read_csv('/etc/passwd')
select * from read_csv_auto('/etc/passwd')
select * from read_text('/etc/passwd')
select * from read_blob('/etc/passwd')
select * from read_json('/etc/passwd')
select * from read_parquet('/etc/passwd')
select * from parquet_scan('/etc/passwd')
select * from parquet_metadata('/etc/passwd')
select * from parquet_schema('/etc/passwd')
select * from sniff_csv('/etc/passwd')
select * from glob('/etc/*')
select * from '/etc/passwd'
select * from "/etc/passwd"
select * from "file.parquet"
select * from 'https://example.com/x.parquet'
select * from repeat('x', 100000000)
select * from repeat_row(1, num_rows => 1000000000)
select * from range(10000000000)
select * from generate_series(1, (select max(x) from hr.payroll))
select range(10000000000)
select * from test_all_types()
select * from query('select * from hr.payroll')
select * from query_table('hr.payroll')
select * from sqlite_scan('/tmp/x', 't')
select * from postgres_scan('', '', '')
select * from arrow_scan(1, 2, 3)
select * from pandas_scan(1)
select * from seq_scan('x')
select * from unnest((select list(y) from hr.payroll))
select * from unnest((select list(x) from sales.secrets)) t(x)
copy (select 1) to '/tmp/gate_attack.csv'
copy sales.staff to '/tmp/gate_attack.csv'
export database '/tmp/gate_attack'
import database '/tmp/gate_attack'
attach ':memory:' as m
attach '/tmp/x.duckdb'
detach "sales@3"
use "hr@5"
set search_path = 'hr@5'
set threads = 1
reset all
pragma database_list
pragma show_tables
call pragma_version()
checkpoint
vacuum
analyze
load json
install json
force install json
create table x as select 1
create temp table x as select 1
create view v as select 1
create macro m() as 1
create or replace macro sum(x) as 1
create function m() as 1
create type t as enum ('a')
create secret s (type s3)
create schema s
insert into sales.staff values (1)
update sales.staff set salary = 1
delete from sales.staff
truncate sales.staff
drop table sales.staff
alter table sales.staff add column x int
merge into sales.staff using sales.shops on true when matched then delete
begin transaction
commit
rollback
prepare p as select 1
execute p
deallocate p
explain select * from sales.staff
explain analyze select 1
select 1; drop table sales.staff
select 1;select 2
select 1 into x
select * from sales.staff for update
select * from sales.staff where name = 'x' /* */ or 1 = 1
select * from sales.staff -- where
select * from sales.staff /* -- */ union all select * from sales.staff /* */
select '*/ from hr.payroll /*' from sales.shops
select "x"" from hr.payroll --" from sales.shops
select $$ from hr.payroll $$ from sales.shops
select $a$ ' from hr.payroll $a$ as x from sales.shops
select e'\' from hr.payroll --' from sales.shops
select shop as "a@b" from sales.shops
select shop from sales.shops as "staff@"
select 1 as "x;drop table y"
select * from ｓａｌｅｓ.ｓｅｃｒｅｔｓ
select * from ſales.secrets
select * from hr．payroll
select * from hr.payroll
select x from sales.shops x from hr.payroll
select 1 x from hr.payroll
select * from sales.shops  from hr.payroll
select * from sales@999.secrets
select * from sales@3.secrets
select * from sales@live.secrets
select * from "sales@3.secrets"
select * from "sales@3"."main.secrets"
select * from "sales@3' or 1".staff
select * from sales@03.staff
select * from sales@-1.staff
select * from sales@99999999999999999999.staff
select $1 from hr.payroll
select id from sales.staff where note = $1
select id from sales.staff where note = ?
select id from sales.staff limit $1
select printf('%s', y) from hr.payroll
select printf('%1000000000d', 1)
select format('{:>1000000000}', 1)
select bar(1, 0, 1, 1000000000)
select repeat('x', 2000000000)
select lpad('x', 2000000000, 'y')
select rpad('x', 2000000000, 'y')
select repeat(repeat(repeat('x', 1000), 1000), 1000)
select list_resize([1], 2000000000)
select to_base(1, 2, 1000000000)
select array_agg(a.range) from range(1000000) a, range(1000000) b
select count(*) from range(1000000) a, range(1000000) b, range(1000000) c
select factorial(100000)
select (select count(*) from sales.staff) + (select count(*) from sales.secrets)
select 1 where (select count(*) from hr.payroll) > 1
select case when (select max(x) from hr.payroll) > 987655 then 1 / 0 else 1 end

-- Tables of the store in ClickHouse, version 1. Statements end in a semicolon at the end of a line.
--
-- Once: an event is replaced by a later telling of itself (version); rows of a minute are inserted under a
-- token that names the minute, which tables and views remember for the last 100000 inserts, and are not
-- inserted at all where the minute stands in minutes already.

CREATE TABLE IF NOT EXISTS events
(
    id FixedString(16),
    version UInt32,
    sensor LowCardinality(String),
    session UInt64,
    sequence UInt64,
    ts DateTime64(9, 'UTC'),
    client_ip IPv6,
    client_port UInt16,
    server_ip IPv6,
    server_port UInt16,
    community_id String,
    origin LowCardinality(String),
    origin_confidence Float64,
    cause LowCardinality(String),
    cause_confidence Float64,
    impact LowCardinality(String),
    stage LowCardinality(String),
    effect LowCardinality(String),
    role LowCardinality(String),
    agreement LowCardinality(String),
    json String CODEC(ZSTD(3)),
    INDEX by_id id TYPE bloom_filter GRANULARITY 1,
    INDEX by_connection community_id TYPE bloom_filter GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMMDD(ts)
ORDER BY (server_ip, server_port, ts, id)
TTL toDateTime(ts) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS evidence
(
    event FixedString(16),
    ts DateTime64(9, 'UTC'),
    sensor LowCardinality(String),
    json String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(ts)
ORDER BY event
TTL toDateTime(ts) + INTERVAL 30 DAY;

CREATE TABLE IF NOT EXISTS minutes
(
    sensor LowCardinality(String),
    id String,
    session UInt64,
    sequence UInt64,
    start DateTime('UTC'),
    span_s UInt32,
    part UInt32,
    opened UInt64,
    midstream UInt64,
    established UInt64,
    closed_well UInt64,
    reset UInt64,
    timed_out UInt64,
    unanswered UInt64,
    still_open UInt64,
    overflow UInt64,
    losses Map(String, UInt64),
    scans Map(String, UInt64),
    status String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(start)
ORDER BY (sensor, id)
TTL start + INTERVAL 400 DAY;

CREATE TABLE IF NOT EXISTS rows_1m
(
    sensor LowCardinality(String),
    minute String,
    row UInt32,
    start DateTime('UTC'),
    server_ip IPv6,
    server_port UInt16,
    server_prefix UInt8,
    origin LowCardinality(String),
    cause LowCardinality(String),
    stage LowCardinality(String),
    impact LowCardinality(String),
    count UInt64,
    clients Array(UInt8),
    top_clients Map(String, UInt64),
    confidence_sum Float64,
    confidence_least Float64,
    age_count UInt64,
    age_sum Float64,
    age_zeros UInt64,
    age_buckets Map(Int16, UInt64),
    idle_count UInt64,
    idle_sum Float64,
    idle_zeros UInt64,
    idle_buckets Map(Int16, UInt64),
    bytes_count UInt64,
    bytes_sum Float64,
    bytes_zeros UInt64,
    bytes_buckets Map(Int16, UInt64),
    idle_timers Map(UInt32, UInt64),
    example String
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(start)
ORDER BY (start, server_ip, server_port, sensor, minute, row)
TTL start + INTERVAL 2 DAY
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS services_1m
(
    sensor LowCardinality(String),
    minute String,
    row UInt32,
    start DateTime('UTC'),
    server_ip IPv6,
    server_port UInt16,
    server_prefix UInt8,
    opened UInt64,
    midstream UInt64,
    established UInt64,
    closed_well UInt64,
    reset UInt64,
    timed_out UInt64,
    unanswered UInt64,
    still_open UInt64
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(start)
ORDER BY (start, server_ip, server_port, sensor, minute, row)
TTL start + INTERVAL 2 DAY
SETTINGS non_replicated_deduplication_window = 100000;

CREATE TABLE IF NOT EXISTS rows_10m
(
    start DateTime('UTC'),
    sensor LowCardinality(String),
    server_ip IPv6,
    server_port UInt16,
    server_prefix UInt8,
    origin LowCardinality(String),
    cause LowCardinality(String),
    stage LowCardinality(String),
    impact LowCardinality(String),
    count SimpleAggregateFunction(sum, UInt64),
    last SimpleAggregateFunction(max, DateTime('UTC')),
    clients AggregateFunction(maxForEach, Array(UInt8)),
    top_clients SimpleAggregateFunction(sumMap, Map(String, UInt64)),
    confidence_sum SimpleAggregateFunction(sum, Float64),
    confidence_least SimpleAggregateFunction(min, Float64),
    age_count SimpleAggregateFunction(sum, UInt64),
    age_sum SimpleAggregateFunction(sum, Float64),
    age_zeros SimpleAggregateFunction(sum, UInt64),
    age_buckets SimpleAggregateFunction(sumMap, Map(Int16, UInt64)),
    idle_count SimpleAggregateFunction(sum, UInt64),
    idle_sum SimpleAggregateFunction(sum, Float64),
    idle_zeros SimpleAggregateFunction(sum, UInt64),
    idle_buckets SimpleAggregateFunction(sumMap, Map(Int16, UInt64)),
    bytes_count SimpleAggregateFunction(sum, UInt64),
    bytes_sum SimpleAggregateFunction(sum, Float64),
    bytes_zeros SimpleAggregateFunction(sum, UInt64),
    bytes_buckets SimpleAggregateFunction(sumMap, Map(Int16, UInt64)),
    idle_timers SimpleAggregateFunction(sumMap, Map(UInt32, UInt64)),
    example SimpleAggregateFunction(anyLast, String)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(start)
ORDER BY (start, server_ip, server_port, server_prefix, sensor, origin, cause, stage, impact)
TTL start + INTERVAL 14 DAY
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS rows_10m_fed TO rows_10m AS
SELECT
    toStartOfTenMinutes(r.start) AS start,
    r.sensor AS sensor,
    r.server_ip AS server_ip,
    r.server_port AS server_port,
    r.server_prefix AS server_prefix,
    r.origin AS origin,
    r.cause AS cause,
    r.stage AS stage,
    r.impact AS impact,
    sum(r.count) AS count,
    max(r.start) AS last,
    maxForEachState(r.clients) AS clients,
    sumMap(r.top_clients) AS top_clients,
    sum(r.confidence_sum) AS confidence_sum,
    min(r.confidence_least) AS confidence_least,
    sum(r.age_count) AS age_count,
    sum(r.age_sum) AS age_sum,
    sum(r.age_zeros) AS age_zeros,
    sumMap(r.age_buckets) AS age_buckets,
    sum(r.idle_count) AS idle_count,
    sum(r.idle_sum) AS idle_sum,
    sum(r.idle_zeros) AS idle_zeros,
    sumMap(r.idle_buckets) AS idle_buckets,
    sum(r.bytes_count) AS bytes_count,
    sum(r.bytes_sum) AS bytes_sum,
    sum(r.bytes_zeros) AS bytes_zeros,
    sumMap(r.bytes_buckets) AS bytes_buckets,
    sumMap(r.idle_timers) AS idle_timers,
    anyLast(r.example) AS example
FROM rows_1m AS r
GROUP BY start, sensor, server_ip, server_port, server_prefix, origin, cause, stage, impact;

CREATE TABLE IF NOT EXISTS services_10m
(
    start DateTime('UTC'),
    sensor LowCardinality(String),
    server_ip IPv6,
    server_port UInt16,
    server_prefix UInt8,
    opened SimpleAggregateFunction(sum, UInt64),
    midstream SimpleAggregateFunction(sum, UInt64),
    established SimpleAggregateFunction(sum, UInt64),
    closed_well SimpleAggregateFunction(sum, UInt64),
    reset SimpleAggregateFunction(sum, UInt64),
    timed_out SimpleAggregateFunction(sum, UInt64),
    unanswered SimpleAggregateFunction(sum, UInt64),
    still_open SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(start)
ORDER BY (start, server_ip, server_port, server_prefix, sensor)
TTL start + INTERVAL 14 DAY
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS services_10m_fed TO services_10m AS
SELECT
    toStartOfTenMinutes(r.start) AS start,
    r.sensor AS sensor,
    r.server_ip AS server_ip,
    r.server_port AS server_port,
    r.server_prefix AS server_prefix,
    sum(r.opened) AS opened,
    sum(r.midstream) AS midstream,
    sum(r.established) AS established,
    sum(r.closed_well) AS closed_well,
    sum(r.reset) AS reset,
    sum(r.timed_out) AS timed_out,
    sum(r.unanswered) AS unanswered,
    sum(r.still_open) AS still_open
FROM services_1m AS r
GROUP BY start, sensor, server_ip, server_port, server_prefix;

CREATE TABLE IF NOT EXISTS rows_1h
(
    start DateTime('UTC'),
    sensor LowCardinality(String),
    server_ip IPv6,
    server_port UInt16,
    server_prefix UInt8,
    origin LowCardinality(String),
    cause LowCardinality(String),
    stage LowCardinality(String),
    impact LowCardinality(String),
    count SimpleAggregateFunction(sum, UInt64),
    last SimpleAggregateFunction(max, DateTime('UTC')),
    clients AggregateFunction(maxForEach, Array(UInt8)),
    top_clients SimpleAggregateFunction(sumMap, Map(String, UInt64)),
    confidence_sum SimpleAggregateFunction(sum, Float64),
    confidence_least SimpleAggregateFunction(min, Float64),
    age_count SimpleAggregateFunction(sum, UInt64),
    age_sum SimpleAggregateFunction(sum, Float64),
    age_zeros SimpleAggregateFunction(sum, UInt64),
    age_buckets SimpleAggregateFunction(sumMap, Map(Int16, UInt64)),
    idle_count SimpleAggregateFunction(sum, UInt64),
    idle_sum SimpleAggregateFunction(sum, Float64),
    idle_zeros SimpleAggregateFunction(sum, UInt64),
    idle_buckets SimpleAggregateFunction(sumMap, Map(Int16, UInt64)),
    bytes_count SimpleAggregateFunction(sum, UInt64),
    bytes_sum SimpleAggregateFunction(sum, Float64),
    bytes_zeros SimpleAggregateFunction(sum, UInt64),
    bytes_buckets SimpleAggregateFunction(sumMap, Map(Int16, UInt64)),
    idle_timers SimpleAggregateFunction(sumMap, Map(UInt32, UInt64)),
    example SimpleAggregateFunction(anyLast, String)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(start)
ORDER BY (start, server_ip, server_port, server_prefix, sensor, origin, cause, stage, impact)
TTL start + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS rows_1h_fed TO rows_1h AS
SELECT
    toStartOfHour(r.start) AS start,
    r.sensor AS sensor,
    r.server_ip AS server_ip,
    r.server_port AS server_port,
    r.server_prefix AS server_prefix,
    r.origin AS origin,
    r.cause AS cause,
    r.stage AS stage,
    r.impact AS impact,
    sum(r.count) AS count,
    max(r.start) AS last,
    maxForEachState(r.clients) AS clients,
    sumMap(r.top_clients) AS top_clients,
    sum(r.confidence_sum) AS confidence_sum,
    min(r.confidence_least) AS confidence_least,
    sum(r.age_count) AS age_count,
    sum(r.age_sum) AS age_sum,
    sum(r.age_zeros) AS age_zeros,
    sumMap(r.age_buckets) AS age_buckets,
    sum(r.idle_count) AS idle_count,
    sum(r.idle_sum) AS idle_sum,
    sum(r.idle_zeros) AS idle_zeros,
    sumMap(r.idle_buckets) AS idle_buckets,
    sum(r.bytes_count) AS bytes_count,
    sum(r.bytes_sum) AS bytes_sum,
    sum(r.bytes_zeros) AS bytes_zeros,
    sumMap(r.bytes_buckets) AS bytes_buckets,
    sumMap(r.idle_timers) AS idle_timers,
    anyLast(r.example) AS example
FROM rows_1m AS r
GROUP BY start, sensor, server_ip, server_port, server_prefix, origin, cause, stage, impact;

CREATE TABLE IF NOT EXISTS services_1h
(
    start DateTime('UTC'),
    sensor LowCardinality(String),
    server_ip IPv6,
    server_port UInt16,
    server_prefix UInt8,
    opened SimpleAggregateFunction(sum, UInt64),
    midstream SimpleAggregateFunction(sum, UInt64),
    established SimpleAggregateFunction(sum, UInt64),
    closed_well SimpleAggregateFunction(sum, UInt64),
    reset SimpleAggregateFunction(sum, UInt64),
    timed_out SimpleAggregateFunction(sum, UInt64),
    unanswered SimpleAggregateFunction(sum, UInt64),
    still_open SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(start)
ORDER BY (start, server_ip, server_port, server_prefix, sensor)
TTL start + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS services_1h_fed TO services_1h AS
SELECT
    toStartOfHour(r.start) AS start,
    r.sensor AS sensor,
    r.server_ip AS server_ip,
    r.server_port AS server_port,
    r.server_prefix AS server_prefix,
    sum(r.opened) AS opened,
    sum(r.midstream) AS midstream,
    sum(r.established) AS established,
    sum(r.closed_well) AS closed_well,
    sum(r.reset) AS reset,
    sum(r.timed_out) AS timed_out,
    sum(r.unanswered) AS unanswered,
    sum(r.still_open) AS still_open
FROM services_1m AS r
GROUP BY start, sensor, server_ip, server_port, server_prefix;

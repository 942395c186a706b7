-- Tables of the store in ClickHouse, version 1. Statements end in a semicolon at the end of a line.
--
-- Once: an event is replaced by a later telling of itself (version), rows of a minute by themselves. Counts of
-- ten minutes and of hours are added up from the minutes' rows anew whenever one comes (rollup.rs), and of two
-- sums that which is made of more rows holds (made_of). Minutes' rows are there for a day at least after they
-- came; what came on different days is added up apart (day, since the Unix epoch), so that sums of what is gone stay.
--
-- No table remembers tokens or blocks of inserts: those lists are written before the rows are, and a server that
-- is killed in between takes the same rows for known ones when they come again.

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
TTL toDateTime(ts) + INTERVAL 90 DAY;

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
    day UInt16,
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
TTL greatest(start, toDateTime(toDate(day), 'UTC')) + INTERVAL 2 DAY;

CREATE TABLE IF NOT EXISTS services_1m
(
    sensor LowCardinality(String),
    minute String,
    row UInt32,
    start DateTime('UTC'),
    day UInt16,
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
TTL greatest(start, toDateTime(toDate(day), 'UTC')) + INTERVAL 2 DAY;

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
    day UInt16,
    made_of UInt64,
    count UInt64,
    last DateTime('UTC'),
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
ENGINE = ReplacingMergeTree(made_of)
PARTITION BY toYYYYMM(start)
ORDER BY (start, server_ip, server_port, server_prefix, sensor, origin, cause, stage, impact, day)
TTL start + INTERVAL 14 DAY;

CREATE TABLE IF NOT EXISTS services_10m
(
    start DateTime('UTC'),
    sensor LowCardinality(String),
    server_ip IPv6,
    server_port UInt16,
    server_prefix UInt8,
    day UInt16,
    made_of UInt64,
    opened UInt64,
    midstream UInt64,
    established UInt64,
    closed_well UInt64,
    reset UInt64,
    timed_out UInt64,
    unanswered UInt64,
    still_open UInt64
)
ENGINE = ReplacingMergeTree(made_of)
PARTITION BY toYYYYMM(start)
ORDER BY (start, server_ip, server_port, server_prefix, sensor, day)
TTL start + INTERVAL 14 DAY;

CREATE TABLE IF NOT EXISTS rows_1h
AS rows_10m
ENGINE = ReplacingMergeTree(made_of)
PARTITION BY toYYYYMM(start)
ORDER BY (start, server_ip, server_port, server_prefix, sensor, origin, cause, stage, impact, day)
TTL start + INTERVAL 400 DAY;

CREATE TABLE IF NOT EXISTS services_1h
AS services_10m
ENGINE = ReplacingMergeTree(made_of)
PARTITION BY toYYYYMM(start)
ORDER BY (start, server_ip, server_port, server_prefix, sensor, day)
TTL start + INTERVAL 400 DAY;


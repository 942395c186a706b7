-- Version 2: what questions ask for. Statements end in a semicolon at the end of a line.
--
-- The new columns of events follow from their text, so those that are there already have them, too.

ALTER TABLE events ADD COLUMN IF NOT EXISTS in_burst UInt8 DEFAULT JSONHas(json, 'context', 'burst');

ALTER TABLE events ADD COLUMN IF NOT EXISTS has_device UInt8 DEFAULT JSONHas(json, 'context', 'device');

-- Numbers of records that came of each run of a sensor's spool, as a set: what is missing and what came twice.
CREATE TABLE IF NOT EXISTS ledger
(
    sensor LowCardinality(String),
    session UInt64,
    day Date,
    records SimpleAggregateFunction(sum, UInt64),
    numbers AggregateFunction(groupBitmap, UInt64),
    first SimpleAggregateFunction(min, UInt64),
    last SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY (sensor, session, day)
TTL day + INTERVAL 90 DAY;

-- Where numbers go in: nothing stays here.
CREATE TABLE IF NOT EXISTS came
(
    sensor LowCardinality(String),
    session UInt64,
    sequence UInt64
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS ledger_fed TO ledger AS
SELECT
    c.sensor AS sensor,
    c.session AS session,
    toDate(now()) AS day,
    count() AS records,
    groupBitmapState(c.sequence) AS numbers,
    min(c.sequence) AS first,
    max(c.sequence) AS last
FROM came AS c
GROUP BY sensor, session;

-- Revision 0002 in this engine's words: see ../sqlite/0002_operations.sql. The two are changed together, and a test
-- compares them.

CREATE TABLE api_budget (
    account_id TEXT COLLATE "C" NOT NULL,
    region     TEXT COLLATE "C" NOT NULL,
    api        TEXT COLLATE "C" NOT NULL,
    tokens     DOUBLE PRECISION NOT NULL,
    at         TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account_id, region, api)
);

CREATE TABLE bookmark (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    place TEXT COLLATE "C" NOT NULL,
    at    TEXT COLLATE "C" NOT NULL
);

CREATE INDEX connection_open ON connection (id)
    WHERE phase NOT IN ('rejected', 'failed', 'withdrawn', 'declined', 'released');

ALTER TABLE circuit_run ADD COLUMN completed_at TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE circuit_run ADD COLUMN completed_listed INTEGER NOT NULL DEFAULT 0;

CREATE TABLE pause (
    account_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    since      TEXT COLLATE "C" NOT NULL,
    actor      TEXT COLLATE "C" NOT NULL,
    reason     TEXT COLLATE "C" NOT NULL
);

CREATE TABLE maintenance (
    record_id  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    circuit_id TEXT COLLATE "C" NOT NULL,
    starts_at  TEXT COLLATE "C" NOT NULL,
    cleared_at TEXT COLLATE "C",
    document   TEXT COLLATE "C" NOT NULL
);

CREATE INDEX maintenance_open ON maintenance (circuit_id) WHERE cleared_at IS NULL;

CREATE TABLE attempt (
    key   TEXT COLLATE "C" PRIMARY KEY,
    tries BIGINT NOT NULL,
    at    TEXT COLLATE "C" NOT NULL
);

CREATE TABLE dead_letter (
    key        TEXT COLLATE "C" PRIMARY KEY,
    at         TEXT COLLATE "C" NOT NULL,
    function   TEXT COLLATE "C" NOT NULL,
    source     TEXT COLLATE "C" NOT NULL,
    cause      TEXT COLLATE "C" NOT NULL,
    form       TEXT COLLATE "C" NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    details    TEXT COLLATE "C" NOT NULL,
    body       BYTEA NOT NULL,
    state      TEXT COLLATE "C" NOT NULL DEFAULT 'kept',
    settled_at TEXT COLLATE "C",
    actor      TEXT COLLATE "C" NOT NULL DEFAULT '',
    reason     TEXT COLLATE "C" NOT NULL DEFAULT ''
);

CREATE INDEX dead_letter_by_cause ON dead_letter (function, cause, source, state);

CREATE TABLE vbr_visibility (
    account_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    visibility TEXT COLLATE "C" NOT NULL,
    evidence   TEXT COLLATE "C" NOT NULL,
    at         TEXT COLLATE "C" NOT NULL
);

-- Revision 0002: what the timers of operation keep. Revision 0001 is frozen: changes since stand here, and the two
-- engines' files are changed together.

-- How many calls of one API are left in one account and region: all instances share the cloud's quota of 300 calls per
-- 60 s. ``tokens`` is what was left at ``at``; it refills steadily.
CREATE TABLE api_budget (
    account_id TEXT NOT NULL,
    region     TEXT NOT NULL,
    api        TEXT NOT NULL,
    tokens     REAL NOT NULL,
    at         TEXT NOT NULL,
    PRIMARY KEY (account_id, region, api)
) STRICT, WITHOUT ROWID;

-- How far a walk over all connections has come that takes more than one run of its function.
CREATE TABLE bookmark (
    name  TEXT NOT NULL PRIMARY KEY,
    place TEXT NOT NULL,
    at    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Connections that have not ended, in the order of that walk.
CREATE INDEX connection_open ON connection (id)
    WHERE phase NOT IN ('rejected', 'failed', 'withdrawn', 'declined', 'released');

-- When the latest complete run of a circuit began ('' while none was complete) and how many ports it has seen; the other
-- columns are of the latest run, complete or not.
ALTER TABLE circuit_run ADD COLUMN completed_at TEXT NOT NULL DEFAULT '';
ALTER TABLE circuit_run ADD COLUMN completed_listed INTEGER NOT NULL DEFAULT 0;

-- Where a person has stopped our commands to the cloud: in one account, or in all of them ('').
CREATE TABLE pause (
    account_id TEXT NOT NULL PRIMARY KEY,
    since      TEXT NOT NULL,
    actor      TEXT NOT NULL,
    reason     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Planned maintenance and outages of circuits, open while ``cleared_at`` is null; ``document`` is the whole record.
CREATE TABLE maintenance (
    record_id  TEXT NOT NULL PRIMARY KEY,
    circuit_id TEXT NOT NULL,
    starts_at  TEXT NOT NULL,
    cleared_at TEXT,
    document   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX maintenance_open ON maintenance (circuit_id) WHERE cleared_at IS NULL;

-- How often a record has ended as retry. ``key`` is a digest of function, inbox key and content.
CREATE TABLE attempt (
    key   TEXT PRIMARY KEY,
    tries INTEGER NOT NULL,
    at    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Dead letters as they came, byte for byte. ``state`` is kept, replayed or discarded; nothing is ever deleted.
CREATE TABLE dead_letter (
    key        TEXT PRIMARY KEY,
    at         TEXT NOT NULL,
    function   TEXT NOT NULL,
    source     TEXT NOT NULL,
    cause      TEXT NOT NULL,
    form       TEXT NOT NULL,
    account_id TEXT NOT NULL,
    name       TEXT NOT NULL,
    details    TEXT NOT NULL,
    body       BLOB NOT NULL,
    state      TEXT NOT NULL DEFAULT 'kept',
    settled_at TEXT,
    actor      TEXT NOT NULL DEFAULT '',
    reason     TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE INDEX dead_letter_by_cause ON dead_letter (function, cause, source, state);

-- Where an account sees the VBRs that tenants create on its ports: circuit, port or none, and what told so.
CREATE TABLE vbr_visibility (
    account_id TEXT NOT NULL PRIMARY KEY,
    visibility TEXT NOT NULL,
    evidence   TEXT NOT NULL,
    at         TEXT NOT NULL
) STRICT, WITHOUT ROWID;

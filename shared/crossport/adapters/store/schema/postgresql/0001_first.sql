-- Crossport's tables on PostgreSQL 14 or later: what ../sqlite/0001_first.sql says, in this engine's words. The two are
-- changed together, and a test compares tables, columns and indexes. Applied by migration 0001, frozen once released.
--
-- Times stay ISO 8601 UTC text of fixed width and JSON stays text, as there: one set of statements serves both engines,
-- and what digests and hashes cover is never reformatted. Text is ordered by its bytes (COLLATE "C") whatever the
-- database's own collation is.

-- What ends a save in the middle of its one statement: raising is the only way to take back what it has written so far.
CREATE FUNCTION refuse_save(code TEXT, what TEXT) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = what; END $$;

-- One tenant's shared port. ``document`` is the whole aggregate (adapters/store/document.py); the other columns repeat
-- what lists and constraints need, and ``port_glance``, ``vbrs_glance`` and ``port_over`` what reconciliation compares.
CREATE TABLE connection (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version         INTEGER NOT NULL,
    account_id      TEXT COLLATE "C" NOT NULL,
    region          TEXT COLLATE "C" NOT NULL,
    circuit_id      TEXT COLLATE "C" NOT NULL,
    tenant_uid      TEXT COLLATE "C" NOT NULL,
    port_id         TEXT COLLATE "C" UNIQUE,
    accepted_vbr_id TEXT COLLATE "C",
    vlan_id         INTEGER NOT NULL,
    spec            TEXT COLLATE "C" NOT NULL,
    order_mode      TEXT COLLATE "C" NOT NULL,
    flow            TEXT COLLATE "C" NOT NULL,
    origin          TEXT COLLATE "C" NOT NULL,
    group_id        TEXT COLLATE "C" NOT NULL,
    phase           TEXT COLLATE "C" NOT NULL,
    violations      TEXT COLLATE "C" NOT NULL,
    port_glance     TEXT COLLATE "C",
    vbrs_glance     TEXT COLLATE "C",
    port_over       INTEGER,
    document        TEXT COLLATE "C" NOT NULL,
    created_at      TEXT COLLATE "C" NOT NULL,
    updated_at      TEXT COLLATE "C" NOT NULL
);

CREATE INDEX connection_by_circuit ON connection (circuit_id, port_id);
CREATE INDEX connection_by_group ON connection (group_id, account_id) WHERE group_id <> '';
CREATE INDEX connection_ordered ON connection (created_at) WHERE phase = 'ordered';

-- Which connection an input is about: ``port:<id>``, ``vbr:<id>`` or ``token:<Token>``. The first to claim a route
-- keeps it.
CREATE TABLE route (
    route         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    connection_id TEXT COLLATE "C" NOT NULL REFERENCES connection (id)
);

-- Observations that no connection is known for yet.
CREATE TABLE unrouted (
    key         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    route       TEXT COLLATE "C" NOT NULL,
    observation TEXT COLLATE "C" NOT NULL,
    at          TEXT COLLATE "C" NOT NULL
);

CREATE INDEX unrouted_by_route ON unrouted (route, at);

-- One dedicated circuit. ``vlan_bitmap`` is hexadecimal: bit n is set while VLAN ID n is held; a cache of vlan_hold.
CREATE TABLE circuit (
    circuit_id     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account_id     TEXT COLLATE "C" NOT NULL,
    region         TEXT COLLATE "C" NOT NULL,
    name           TEXT COLLATE "C" NOT NULL,
    access_point   TEXT COLLATE "C" NOT NULL,
    line_operator  TEXT COLLATE "C" NOT NULL,
    bandwidth_mbps INTEGER NOT NULL,
    status         TEXT COLLATE "C" NOT NULL,
    held_mbps      INTEGER NOT NULL,
    vlan_bitmap    TEXT COLLATE "C" NOT NULL,
    version        INTEGER NOT NULL
);

-- VLAN IDs and bandwidth kept for connections; live while ``released_at`` is null.
CREATE TABLE vlan_hold (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    circuit_id    TEXT COLLATE "C" NOT NULL REFERENCES circuit (circuit_id),
    vlan_id       INTEGER NOT NULL CHECK (vlan_id BETWEEN 0 AND 2999),
    mbps          INTEGER NOT NULL CHECK (mbps >= 0),
    connection_id TEXT COLLATE "C" NOT NULL REFERENCES connection (id),
    held_at       TEXT COLLATE "C" NOT NULL,
    released_at   TEXT COLLATE "C"
);

CREATE UNIQUE INDEX vlan_hold_live ON vlan_hold (circuit_id, vlan_id) WHERE released_at IS NULL;
CREATE INDEX vlan_hold_by_connection ON vlan_hold (connection_id);

-- Keys of inputs that were taken: a second arrival is a duplicate.
CREATE TABLE inbox (
    key           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    digest        TEXT COLLATE "C" NOT NULL,
    verdict       TEXT COLLATE "C" NOT NULL,
    connection_id TEXT COLLATE "C",
    received_at   TEXT COLLATE "C" NOT NULL
);

CREATE INDEX inbox_by_time ON inbox (received_at);

-- Why everything is as it is, append only. ``kind`` is ``input`` (how one input ended) or ``administration`` (what a
-- person changed, with actor and reason).
CREATE TABLE audit (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            TEXT COLLATE "C" NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    function      TEXT COLLATE "C" NOT NULL DEFAULT '',
    event_key     TEXT COLLATE "C" NOT NULL DEFAULT '',
    digest        TEXT COLLATE "C" NOT NULL DEFAULT '',
    verdict       TEXT COLLATE "C" NOT NULL DEFAULT '',
    reason        TEXT COLLATE "C" NOT NULL DEFAULT '',
    pending       TEXT COLLATE "C" NOT NULL DEFAULT '',
    account_id    TEXT COLLATE "C" NOT NULL DEFAULT '',
    connection_id TEXT COLLATE "C",
    name          TEXT COLLATE "C" NOT NULL DEFAULT '',
    actor         TEXT COLLATE "C" NOT NULL DEFAULT '',
    details       TEXT COLLATE "C" NOT NULL DEFAULT '{}'
);

CREATE INDEX audit_by_connection ON audit (connection_id) WHERE connection_id IS NOT NULL;

-- What is to be carried out after the commit; ``id`` is the order in which rows were written.
CREATE TABLE outbox (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key           TEXT COLLATE "C" NOT NULL UNIQUE,
    kind          TEXT COLLATE "C" NOT NULL,
    target        TEXT COLLATE "C" NOT NULL,
    payload       TEXT COLLATE "C" NOT NULL,
    connection_id TEXT COLLATE "C",
    state         TEXT COLLATE "C" NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'done', 'dropped', 'failed')),
    reason        TEXT COLLATE "C" NOT NULL DEFAULT '',
    attempts      INTEGER NOT NULL DEFAULT 0,
    not_before    TEXT COLLATE "C",
    lease         TEXT COLLATE "C",
    leased_until  TEXT COLLATE "C",
    created_at    TEXT COLLATE "C" NOT NULL,
    finished_at   TEXT COLLATE "C"
);

CREATE INDEX outbox_due ON outbox (COALESCE(not_before, created_at), id) WHERE state = 'due';
CREATE INDEX outbox_by_connection ON outbox (connection_id) WHERE connection_id IS NOT NULL;

-- Billing records, append only: a wrong one is taken back by a reversal. Sealing fills seq, prev_hash and hash and
-- touches nothing else. ``record`` is the exact text that digest and hash cover, so it is never reformatted.
CREATE TABLE ledger (
    key           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    fact          TEXT COLLATE "C" NOT NULL,
    revision      INTEGER NOT NULL,
    digest        TEXT COLLATE "C" NOT NULL,
    connection_id TEXT COLLATE "C" NOT NULL REFERENCES connection (id),
    account_id    TEXT COLLATE "C" NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    purpose       TEXT COLLATE "C" NOT NULL,
    biller        TEXT COLLATE "C" NOT NULL,
    payer         TEXT COLLATE "C" NOT NULL,
    amount        TEXT COLLATE "C",
    currency      TEXT COLLATE "C" NOT NULL,
    period_start  TEXT COLLATE "C" NOT NULL,
    period_end    TEXT COLLATE "C",
    record        TEXT COLLATE "C" NOT NULL,
    reverses      TEXT COLLATE "C" UNIQUE REFERENCES ledger (key),
    written_at    TEXT COLLATE "C" NOT NULL,
    seq           BIGINT UNIQUE,
    prev_hash     TEXT COLLATE "C",
    hash          TEXT COLLATE "C"
);

CREATE INDEX ledger_unsealed ON ledger (written_at, key) WHERE seq IS NULL;
CREATE INDEX ledger_by_connection ON ledger (connection_id);

-- What a person should look at; open while ``cleared_at`` is null. ``connection_id`` is a circuit's id for what is wrong
-- on a circuit as a whole.
CREATE TABLE finding (
    key           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    connection_id TEXT COLLATE "C" NOT NULL,
    code          TEXT COLLATE "C" NOT NULL,
    subject       TEXT COLLATE "C" NOT NULL,
    details       TEXT COLLATE "C" NOT NULL,
    at            TEXT COLLATE "C" NOT NULL,
    cleared_at    TEXT COLLATE "C"
);

CREATE INDEX finding_by_connection ON finding (connection_id);

-- The latest reconciliation of each circuit. Runs that found something stand in the audit trail as well.
CREATE TABLE circuit_run (
    circuit_id  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account_id  TEXT COLLATE "C" NOT NULL,
    at          TEXT COLLATE "C" NOT NULL,
    complete    INTEGER NOT NULL,
    why         TEXT COLLATE "C" NOT NULL,
    listed      INTEGER NOT NULL,
    differences TEXT COLLATE "C" NOT NULL,
    breaches    TEXT COLLATE "C" NOT NULL
);

-- Tenants as declared.
CREATE TABLE tenant (
    tenant_uid TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    site       TEXT COLLATE "C" NOT NULL,
    language   TEXT COLLATE "C" NOT NULL,
    email      TEXT COLLATE "C" NOT NULL,
    zone       TEXT COLLATE "C" NOT NULL
);

-- Contracts between a partner account and a tenant; dates are inclusive calendar dates in the contract's zone.
CREATE TABLE contract (
    account_id  TEXT COLLATE "C" NOT NULL,
    number      TEXT COLLATE "C" NOT NULL,
    tenant_uid  TEXT COLLATE "C" NOT NULL,
    signed_on   TEXT COLLATE "C",
    valid_from  TEXT COLLATE "C" NOT NULL,
    valid_until TEXT COLLATE "C",
    zone        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account_id, number)
);

CREATE INDEX contract_by_tenant ON contract (account_id, tenant_uid);

-- Which notices were handed over, on which channel.
CREATE TABLE receipt (
    key       TEXT COLLATE "C" NOT NULL,
    channel   TEXT COLLATE "C" NOT NULL,
    recipient TEXT COLLATE "C" NOT NULL,
    at        TEXT COLLATE "C" NOT NULL,
    reference TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (key, channel)
);

-- Single workers by name, such as the ledger's sealer.
CREATE TABLE lease (
    name   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    until  TEXT COLLATE "C" NOT NULL
);

-- Every configuration document that was ever applied; the highest version is in force.
CREATE TABLE configuration (
    version    INTEGER NOT NULL PRIMARY KEY,
    document   TEXT COLLATE "C" NOT NULL,
    applied_at TEXT COLLATE "C" NOT NULL,
    actor      TEXT COLLATE "C" NOT NULL,
    reason     TEXT COLLATE "C" NOT NULL
);

-- Crossport's tables on SQLite 3.37 or later. Applied by migration 0001 and frozen once released: later changes are
-- further files with their own migration.
--
-- Constraints guard what we promise (a VLAN ID is held once, a record is written once), never what we observe: the
-- cloud may be wrong, and we must be able to say so.
--
-- Times are ISO 8601 UTC text of fixed width (2026-11-24T11:10:47.000000Z), so that the order of texts is the order of
-- times. Money is decimal text. JSON is text.

-- One tenant's shared port. ``document`` is the whole aggregate (adapters/store/document.py); the other columns repeat
-- what lists and constraints need, and ``port_glance``, ``vbrs_glance`` and ``port_over`` what reconciliation compares.
CREATE TABLE connection (
    id              TEXT NOT NULL PRIMARY KEY,
    version         INTEGER NOT NULL,
    account_id      TEXT NOT NULL,
    region          TEXT NOT NULL,
    circuit_id      TEXT NOT NULL,
    tenant_uid      TEXT NOT NULL,
    port_id         TEXT UNIQUE,
    accepted_vbr_id TEXT,
    vlan_id         INTEGER NOT NULL,
    spec            TEXT NOT NULL,
    order_mode      TEXT NOT NULL,
    flow            TEXT NOT NULL,
    origin          TEXT NOT NULL,
    group_id        TEXT NOT NULL,
    phase           TEXT NOT NULL,
    violations      TEXT NOT NULL,
    port_glance     TEXT,
    vbrs_glance     TEXT,
    port_over       INTEGER,
    document        TEXT NOT NULL,
    created_at      TEXT NOT NULL,
    updated_at      TEXT NOT NULL
) STRICT;

CREATE INDEX connection_by_circuit ON connection (circuit_id, port_id);
CREATE INDEX connection_by_group ON connection (group_id, account_id) WHERE group_id <> '';
CREATE INDEX connection_ordered ON connection (created_at) WHERE phase = 'ordered';

-- Which connection an input is about: ``port:<id>``, ``vbr:<id>`` or ``token:<Token>``. The first to claim a route
-- keeps it.
CREATE TABLE route (
    route         TEXT NOT NULL PRIMARY KEY,
    connection_id TEXT NOT NULL REFERENCES connection (id)
) STRICT, WITHOUT ROWID;

-- Observations that no connection is known for yet.
CREATE TABLE unrouted (
    key         TEXT NOT NULL PRIMARY KEY,
    route       TEXT NOT NULL,
    observation TEXT NOT NULL,
    at          TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX unrouted_by_route ON unrouted (route, at);

-- One dedicated circuit. ``vlan_bitmap`` is hexadecimal: bit n is set while VLAN ID n is held; a cache of vlan_hold.
CREATE TABLE circuit (
    circuit_id     TEXT NOT NULL PRIMARY KEY,
    account_id     TEXT NOT NULL,
    region         TEXT NOT NULL,
    name           TEXT NOT NULL,
    access_point   TEXT NOT NULL,
    line_operator  TEXT NOT NULL,
    bandwidth_mbps INTEGER NOT NULL,
    status         TEXT NOT NULL,
    held_mbps      INTEGER NOT NULL,
    vlan_bitmap    TEXT NOT NULL,
    version        INTEGER NOT NULL
) STRICT;

-- VLAN IDs and bandwidth kept for connections; live while ``released_at`` is null.
CREATE TABLE vlan_hold (
    id            INTEGER PRIMARY KEY,
    circuit_id    TEXT NOT NULL REFERENCES circuit (circuit_id),
    vlan_id       INTEGER NOT NULL CHECK (vlan_id BETWEEN 0 AND 2999),
    mbps          INTEGER NOT NULL CHECK (mbps >= 0),
    connection_id TEXT NOT NULL REFERENCES connection (id),
    held_at       TEXT NOT NULL,
    released_at   TEXT
) STRICT;

CREATE UNIQUE INDEX vlan_hold_live ON vlan_hold (circuit_id, vlan_id) WHERE released_at IS NULL;
CREATE INDEX vlan_hold_by_connection ON vlan_hold (connection_id);

-- Keys of inputs that were taken: a second arrival is a duplicate.
CREATE TABLE inbox (
    key           TEXT NOT NULL PRIMARY KEY,
    digest        TEXT NOT NULL,
    verdict       TEXT NOT NULL,
    connection_id TEXT,
    received_at   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX inbox_by_time ON inbox (received_at);

-- Why everything is as it is, append only. ``kind`` is ``input`` (how one input ended) or ``administration`` (what a
-- person changed, with actor and reason).
CREATE TABLE audit (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    at            TEXT NOT NULL,
    kind          TEXT NOT NULL,
    function      TEXT NOT NULL DEFAULT '',
    event_key     TEXT NOT NULL DEFAULT '',
    digest        TEXT NOT NULL DEFAULT '',
    verdict       TEXT NOT NULL DEFAULT '',
    reason        TEXT NOT NULL DEFAULT '',
    pending       TEXT NOT NULL DEFAULT '',
    account_id    TEXT NOT NULL DEFAULT '',
    connection_id TEXT,
    name          TEXT NOT NULL DEFAULT '',
    actor         TEXT NOT NULL DEFAULT '',
    details       TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE INDEX audit_by_connection ON audit (connection_id) WHERE connection_id IS NOT NULL;

-- What is to be carried out after the commit; ``id`` is the order in which rows were written.
CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY,
    key           TEXT NOT NULL UNIQUE,
    kind          TEXT NOT NULL,
    target        TEXT NOT NULL,
    payload       TEXT NOT NULL,
    connection_id TEXT,
    state         TEXT NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'done', 'dropped', 'failed')),
    reason        TEXT NOT NULL DEFAULT '',
    attempts      INTEGER NOT NULL DEFAULT 0,
    not_before    TEXT,
    lease         TEXT,
    leased_until  TEXT,
    created_at    TEXT NOT NULL,
    finished_at   TEXT
) STRICT;

CREATE INDEX outbox_due ON outbox (COALESCE(not_before, created_at), id) WHERE state = 'due';
CREATE INDEX outbox_by_connection ON outbox (connection_id) WHERE connection_id IS NOT NULL;

-- Billing records, append only: a wrong one is taken back by a reversal. Sealing fills seq, prev_hash and hash and
-- touches nothing else. ``record`` is the exact text that digest and hash cover, so it is never reformatted.
CREATE TABLE ledger (
    key           TEXT NOT NULL PRIMARY KEY,
    fact          TEXT NOT NULL,
    revision      INTEGER NOT NULL,
    digest        TEXT NOT NULL,
    connection_id TEXT NOT NULL REFERENCES connection (id),
    account_id    TEXT NOT NULL,
    kind          TEXT NOT NULL,
    purpose       TEXT NOT NULL,
    biller        TEXT NOT NULL,
    payer         TEXT NOT NULL,
    amount        TEXT,
    currency      TEXT NOT NULL,
    period_start  TEXT NOT NULL,
    period_end    TEXT,
    record        TEXT NOT NULL,
    reverses      TEXT UNIQUE REFERENCES ledger (key),
    written_at    TEXT NOT NULL,
    seq           INTEGER UNIQUE,
    prev_hash     TEXT,
    hash          TEXT
) STRICT;

CREATE INDEX ledger_unsealed ON ledger (written_at, key) WHERE seq IS NULL;
CREATE INDEX ledger_by_connection ON ledger (connection_id);

-- What a person should look at; open while ``cleared_at`` is null. ``connection_id`` is a circuit's id for what is wrong
-- on a circuit as a whole.
CREATE TABLE finding (
    key           TEXT NOT NULL PRIMARY KEY,
    connection_id TEXT NOT NULL,
    code          TEXT NOT NULL,
    subject       TEXT NOT NULL,
    details       TEXT NOT NULL,
    at            TEXT NOT NULL,
    cleared_at    TEXT
) STRICT;

CREATE INDEX finding_by_connection ON finding (connection_id);

-- The latest reconciliation of each circuit. Runs that found something stand in the audit trail as well.
CREATE TABLE circuit_run (
    circuit_id  TEXT NOT NULL PRIMARY KEY,
    account_id  TEXT NOT NULL,
    at          TEXT NOT NULL,
    complete    INTEGER NOT NULL,
    why         TEXT NOT NULL,
    listed      INTEGER NOT NULL,
    differences TEXT NOT NULL,
    breaches    TEXT NOT NULL
) STRICT;

-- Tenants as declared.
CREATE TABLE tenant (
    tenant_uid TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    site       TEXT NOT NULL,
    language   TEXT NOT NULL,
    email      TEXT NOT NULL,
    zone       TEXT NOT NULL
) STRICT;

-- Contracts between a partner account and a tenant; dates are inclusive calendar dates in the contract's zone.
CREATE TABLE contract (
    account_id  TEXT NOT NULL,
    number      TEXT NOT NULL,
    tenant_uid  TEXT NOT NULL,
    signed_on   TEXT,
    valid_from  TEXT NOT NULL,
    valid_until TEXT,
    zone        TEXT NOT NULL,
    PRIMARY KEY (account_id, number)
) STRICT;

CREATE INDEX contract_by_tenant ON contract (account_id, tenant_uid);

-- Which notices were handed over, on which channel.
CREATE TABLE receipt (
    key       TEXT NOT NULL,
    channel   TEXT NOT NULL,
    recipient TEXT NOT NULL,
    at        TEXT NOT NULL,
    reference TEXT NOT NULL,
    PRIMARY KEY (key, channel)
) STRICT, WITHOUT ROWID;

-- Single workers by name, such as the ledger's sealer.
CREATE TABLE lease (
    name   TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    until  TEXT NOT NULL
) STRICT;

-- Every configuration document that was ever applied; the highest version is in force.
CREATE TABLE configuration (
    version    INTEGER NOT NULL PRIMARY KEY,
    document   TEXT NOT NULL,
    applied_at TEXT NOT NULL,
    actor      TEXT NOT NULL,
    reason     TEXT NOT NULL
) STRICT;

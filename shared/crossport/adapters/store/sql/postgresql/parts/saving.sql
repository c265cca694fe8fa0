-- Parts of the one statement that a save is (adapters/store/postgresql_saving.py puts them together):
--
--     WITH [locks], u AS (the connection's row), [everything else, FROM u] SELECT id FROM u WHERE [checks]
--
-- The row comes first. When its swap is lost, u is empty and nothing is written; an inbox row that outlived a lost race
-- would make its event look like a duplicate. Never put the inbox before u, and never guard it with EXISTS instead.
-- Lists arrive as JSON; ``owner`` is the connection that a row belongs to, ``ord`` its place in the list.

-- name: lock_circuit
-- The circuit before the connection: whoever orders on one circuit queues here.
locked_circuit AS MATERIALIZED (
    SELECT circuit_id FROM circuit WHERE circuit_id = :circuit_id AND version = :circuit_version FOR UPDATE
)

-- name: and_circuit
AND EXISTS (SELECT FROM locked_circuit)

-- name: where_circuit
WHERE EXISTS (SELECT FROM locked_circuit)

-- name: one_update
u AS (
    UPDATE connection
    SET version = version + 1,
        port_id = :port_id,
        accepted_vbr_id = :accepted_vbr_id,
        vlan_id = :vlan_id,
        spec = :spec,
        order_mode = :order_mode,
        phase = :phase,
        violations = :violations,
        port_glance = :port_glance,
        vbrs_glance = :vbrs_glance,
        port_over = :port_over,
        document = :document,
        updated_at = :at
    WHERE id = :id AND version = :version

-- name: one_update_end
    RETURNING id
)

-- name: one_insert
u AS (
    INSERT INTO connection (
        id, version, account_id, region, circuit_id, tenant_uid, port_id, accepted_vbr_id, vlan_id, spec, order_mode,
        flow, origin, group_id, phase, violations, port_glance, vbrs_glance, port_over, document, created_at,
        updated_at
    )
    SELECT :id, 1, :account_id, :region, :of_circuit, :tenant_uid, :port_id, :accepted_vbr_id, :vlan_id, :spec,
        :order_mode, :flow, :origin, :group_id, :phase, :violations, :port_glance, :vbrs_glance, :port_over, :document,
        :created_at, :at

-- name: one_insert_end
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)

-- name: many
-- Rows are locked in the order of their ids before the first is written: unsorted, two workers deadlock.
locked AS MATERIALIZED (
    SELECT id, version FROM connection WHERE id = ANY (CAST(:ids AS TEXT[])) ORDER BY id FOR UPDATE
),
wanted AS MATERIALIZED (
    SELECT *
    FROM json_to_recordset(CAST(:wanted AS JSON)) AS listed (
        id TEXT, version INTEGER, account_id TEXT, region TEXT, circuit_id TEXT, tenant_uid TEXT, port_id TEXT,
        accepted_vbr_id TEXT, vlan_id INTEGER, spec TEXT, order_mode TEXT, flow TEXT, origin TEXT, group_id TEXT,
        phase TEXT, violations TEXT, port_glance TEXT, vbrs_glance TEXT, port_over INTEGER, document TEXT,
        created_at TEXT, at TEXT
    )
),
updated AS (
    UPDATE connection
    SET version = connection.version + 1,
        port_id = wanted.port_id,
        accepted_vbr_id = wanted.accepted_vbr_id,
        vlan_id = wanted.vlan_id,
        spec = wanted.spec,
        order_mode = wanted.order_mode,
        phase = wanted.phase,
        violations = wanted.violations,
        port_glance = wanted.port_glance,
        vbrs_glance = wanted.vbrs_glance,
        port_over = wanted.port_over,
        document = wanted.document,
        updated_at = wanted.at
    FROM locked
    JOIN wanted ON wanted.id = locked.id AND wanted.version = locked.version
    WHERE connection.id = locked.id AND connection.version = wanted.version
    RETURNING connection.id
),
inserted AS (
    INSERT INTO connection (
        id, version, account_id, region, circuit_id, tenant_uid, port_id, accepted_vbr_id, vlan_id, spec, order_mode,
        flow, origin, group_id, phase, violations, port_glance, vbrs_glance, port_over, document, created_at,
        updated_at
    )
    SELECT id, 1, account_id, region, circuit_id, tenant_uid, port_id, accepted_vbr_id, vlan_id, spec, order_mode,
        flow, origin, group_id, phase, violations, port_glance, vbrs_glance, port_over, document, created_at, at
    FROM wanted
    WHERE version IS NULL
    ORDER BY id
    ON CONFLICT (id) DO NOTHING
    RETURNING id
),
u AS (
    SELECT id FROM updated
    UNION ALL
    SELECT id FROM inserted
)

-- name: circuit
swapped AS (
    UPDATE circuit
    SET held_mbps = :held_mbps, vlan_bitmap = :vlan_bitmap, version = version + 1
    FROM u
    WHERE circuit_id = :circuit_id AND version = :circuit_version
    RETURNING 1
)

-- name: circuit_check
((SELECT count(*) FROM swapped) = 1 OR refuse_save('CP001', 'the circuit has moved'))

-- name: completion
finished AS (
    UPDATE outbox
    SET state = ended.state, reason = ended.reason, not_before = ended.not_before, lease = NULL, leased_until = NULL,
        finished_at = ended.finished_at
    FROM json_to_recordset(CAST(:completions AS JSON)) AS ended (
        owner TEXT, key TEXT, lease TEXT, state TEXT, reason TEXT, not_before TEXT, finished_at TEXT
    )
    JOIN u ON u.id = ended.owner
    WHERE outbox.key = ended.key AND outbox.lease = ended.lease AND outbox.state = 'due'
    RETURNING ended.owner
)

-- name: completion_check
(
    (SELECT count(*) FROM finished) = (
        SELECT count(*) FROM json_to_recordset(CAST(:completions AS JSON)) AS ended (owner TEXT)
        JOIN u AS won ON won.id = ended.owner
    )
    OR refuse_save('CP001', 'the lease is lost')
)

-- name: inputs
input AS (
    SELECT listed.*
    FROM json_to_recordset(CAST(:inputs AS JSON)) AS listed (
        owner TEXT, ord INTEGER, claims BOOLEAN, shown BOOLEAN, at TEXT, kind TEXT, function TEXT, key TEXT,
        digest TEXT, verdict TEXT, reason TEXT, pending TEXT, account_id TEXT, connection_id TEXT, name TEXT,
        actor TEXT, details TEXT
    )
    JOIN u ON u.id = listed.owner
),
claimed AS (
    INSERT INTO inbox (key, digest, verdict, connection_id, received_at)
    SELECT key, digest, verdict, connection_id, at FROM input WHERE claims ORDER BY key
    ON CONFLICT (key) DO NOTHING
    RETURNING key
),
audited AS (
    INSERT INTO audit (
        at, kind, function, event_key, digest, verdict, reason, pending, account_id, connection_id, name, actor,
        details
    )
    SELECT at, kind, function, key, digest, verdict, reason, pending, account_id, connection_id, name, actor, details
    FROM input
    WHERE shown
    ORDER BY ord
)

-- name: inputs_check
(
    (SELECT count(*) FROM claimed) = (SELECT count(*) FROM input WHERE claims)
    OR refuse_save('CP002', 'an inbox key is there already')
)

-- name: release
given_back AS (
    SELECT listed.*
    FROM json_to_recordset(CAST(:releases AS JSON)) AS listed (
        owner TEXT, circuit_id TEXT, vlan_id INTEGER, connection_id TEXT, at TEXT
    )
    JOIN u ON u.id = listed.owner
),
released AS (
    UPDATE vlan_hold
    SET released_at = given_back.at
    FROM given_back
    WHERE vlan_hold.circuit_id = given_back.circuit_id
        AND vlan_hold.vlan_id = given_back.vlan_id
        AND vlan_hold.connection_id = given_back.connection_id
        AND vlan_hold.released_at IS NULL
    RETURNING 1
)

-- name: release_check
(
    (SELECT count(*) FROM released) = (SELECT count(*) FROM given_back)
    OR refuse_save('CP003', 'a VLAN ID that is given back is not held by its connection')
)

-- name: hold
taken AS (
    INSERT INTO vlan_hold (circuit_id, vlan_id, mbps, connection_id, held_at)
    SELECT listed.circuit_id, listed.vlan_id, listed.mbps, listed.connection_id, listed.at
    FROM json_to_recordset(CAST(:holds AS JSON)) AS listed (
        owner TEXT, circuit_id TEXT, vlan_id INTEGER, mbps INTEGER, connection_id TEXT, at TEXT
    )
    JOIN u ON u.id = listed.owner

-- name: hold_after_release
    -- The old hold goes first: a change of spec gives back the VLAN ID that it takes again.
    WHERE (SELECT count(*) FROM released) >= 0

-- name: hold_end
)

-- name: records
written AS (
    INSERT INTO ledger (
        key, fact, revision, digest, connection_id, account_id, kind, purpose, biller, payer, amount, currency,
        period_start, period_end, record, reverses, written_at
    )
    SELECT listed.key, listed.fact, listed.revision, listed.digest, listed.connection_id, listed.account_id,
        listed.kind, listed.purpose, listed.biller, listed.payer, listed.amount, listed.currency, listed.period_start,
        listed.period_end, listed.record, listed.reverses, listed.at
    FROM json_to_recordset(CAST(:records AS JSON)) AS listed (
        owner TEXT, ord INTEGER, key TEXT, fact TEXT, revision INTEGER, digest TEXT, connection_id TEXT,
        account_id TEXT, kind TEXT, purpose TEXT, biller TEXT, payer TEXT, amount TEXT, currency TEXT,
        period_start TEXT, period_end TEXT, record TEXT, reverses TEXT, at TEXT
    )
    JOIN u ON u.id = listed.owner
    ORDER BY listed.ord
)

-- name: outbox
enqueued AS (
    INSERT INTO outbox (key, kind, target, payload, connection_id, not_before, created_at)
    SELECT listed.key, listed.kind, listed.target, listed.payload, listed.connection_id, listed.not_before, listed.at
    FROM json_to_recordset(CAST(:outbox AS JSON)) AS listed (
        owner TEXT, ord INTEGER, key TEXT, kind TEXT, target TEXT, payload TEXT, connection_id TEXT, not_before TEXT,
        at TEXT
    )
    JOIN u ON u.id = listed.owner
    ORDER BY listed.ord
    ON CONFLICT (key) DO NOTHING
)

-- name: cleared
settled AS (
    UPDATE finding
    SET cleared_at = listed.at
    FROM json_to_recordset(CAST(:cleared AS JSON)) AS listed (owner TEXT, key TEXT, at TEXT)
    JOIN u ON u.id = listed.owner
    WHERE finding.key = listed.key AND finding.cleared_at IS NULL
)

-- name: wakes
-- What waits for a change of its connection is due when there is one. A leased row finds out by the version it has seen.
woken AS (
    UPDATE outbox
    SET not_before = listed.at
    FROM json_to_recordset(CAST(:wakes AS JSON)) AS listed (owner TEXT, own TEXT, at TEXT)
    JOIN u ON u.id = listed.owner
    WHERE outbox.connection_id = listed.owner
        AND outbox.state = 'due'
        AND outbox.key <> listed.own
        AND outbox.not_before > listed.at
        AND (left(outbox.reason, 8) = 'waiting:' OR left(outbox.reason, 10) = 'too_early:')
)

-- name: findings
found AS (
    INSERT INTO finding (key, connection_id, code, subject, details, at)
    SELECT listed.key, listed.connection_id, listed.code, listed.subject, listed.details, listed.at
    FROM json_to_recordset(CAST(:findings AS JSON)) AS listed (
        owner TEXT, key TEXT, connection_id TEXT, code TEXT, subject TEXT, details TEXT, at TEXT
    )
    JOIN u ON u.id = listed.owner
    ORDER BY listed.key
    ON CONFLICT (key) DO UPDATE SET details = excluded.details, at = excluded.at, cleared_at = NULL
    WHERE finding.cleared_at IS NOT NULL
)

-- name: routes
routed AS (
    INSERT INTO route (route, connection_id)
    SELECT listed.route, listed.owner
    FROM json_to_recordset(CAST(:routes AS JSON)) AS listed (owner TEXT, route TEXT)
    JOIN u ON u.id = listed.owner
    ORDER BY listed.route
    ON CONFLICT (route) DO NOTHING
)

-- name: folded
forgotten AS (
    DELETE FROM unrouted
    USING json_to_recordset(CAST(:folded AS JSON)) AS listed (owner TEXT, key TEXT)
    JOIN u ON u.id = listed.owner
    WHERE unrouted.key = listed.key
)

-- name: nobody
-- What ``record`` writes belongs to no connection.
u AS (SELECT CAST('' AS TEXT) AS id)

-- name: recorded_inputs
-- Nothing hangs on a connection's row here, so each input stands for itself: a claimed key's second writes nothing.
input AS (
    SELECT *
    FROM json_to_recordset(CAST(:inputs AS JSON)) AS listed (
        owner TEXT, ord INTEGER, claims BOOLEAN, shown BOOLEAN, at TEXT, kind TEXT, function TEXT, key TEXT,
        digest TEXT, verdict TEXT, reason TEXT, pending TEXT, account_id TEXT, connection_id TEXT, name TEXT,
        actor TEXT, details TEXT
    )
),
claimed AS (
    INSERT INTO inbox (key, digest, verdict, connection_id, received_at)
    SELECT key, digest, verdict, connection_id, at FROM input WHERE claims ORDER BY key
    ON CONFLICT (key) DO NOTHING
    RETURNING key
),
audited AS (
    INSERT INTO audit (
        at, kind, function, event_key, digest, verdict, reason, pending, account_id, connection_id, name, actor,
        details
    )
    SELECT at, kind, function, key, digest, verdict, reason, pending, account_id, connection_id, name, actor, details
    FROM input
    WHERE shown AND (NOT claims OR key IN (SELECT key FROM claimed))
    ORDER BY ord
)

-- name: recorded_unrouted
waiting AS (
    INSERT INTO unrouted (key, route, observation, at)
    SELECT key, route, observation, at
    FROM json_to_recordset(CAST(:unrouted AS JSON)) AS listed (key TEXT, route TEXT, observation TEXT, at TEXT)
    ORDER BY key
    ON CONFLICT (key) DO NOTHING
)

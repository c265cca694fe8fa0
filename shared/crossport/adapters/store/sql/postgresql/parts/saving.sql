-- Parts of the one statement that a save is (adapters/store/postgresql_saving.py puts them together):
--
--     WITH [locks], u AS (the connection's row), [everything else, FROM u] SELECT id FROM u WHERE [checks]
--
-- The row comes first. When its swap is lost, u is empty and nothing is written; an inbox row that outlived a lost race
-- would make its event look like a duplicate. Never put the inbox before u, and never guard it with EXISTS instead.
-- Lists arrive as an array a column (a server needs twice as long for JSON); ``owner`` is the connection that a row
-- belongs to, ``ord`` its place in the list. Of what most saves have one of at most there is a second part
-- (``one_...``), whose columns are plain parameters.

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
    FROM unnest(
        CAST(:wanted_id AS TEXT[]), CAST(:wanted_version AS INTEGER[]), CAST(:wanted_account_id AS TEXT[]),
        CAST(:wanted_region AS TEXT[]), CAST(:wanted_circuit_id AS TEXT[]), CAST(:wanted_tenant_uid AS TEXT[]),
        CAST(:wanted_port_id AS TEXT[]), CAST(:wanted_accepted_vbr_id AS TEXT[]), CAST(:wanted_vlan_id AS INTEGER[]),
        CAST(:wanted_spec AS TEXT[]), CAST(:wanted_order_mode AS TEXT[]), CAST(:wanted_flow AS TEXT[]),
        CAST(:wanted_origin AS TEXT[]), CAST(:wanted_group_id AS TEXT[]), CAST(:wanted_phase AS TEXT[]),
        CAST(:wanted_violations AS TEXT[]), CAST(:wanted_port_glance AS TEXT[]), CAST(:wanted_vbrs_glance AS TEXT[]),
        CAST(:wanted_port_over AS INTEGER[]), CAST(:wanted_document AS TEXT[]), CAST(:wanted_created_at AS TEXT[]),
        CAST(:wanted_at AS TEXT[])
    ) AS listed (
        id, version, account_id, region, circuit_id, tenant_uid, port_id, accepted_vbr_id, vlan_id, spec, order_mode,
        flow, origin, group_id, phase, violations, port_glance, vbrs_glance, port_over, document, created_at, at
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
    FROM unnest(
        CAST(:completions_owner AS TEXT[]), CAST(:completions_key AS TEXT[]), CAST(:completions_lease AS TEXT[]),
        CAST(:completions_state AS TEXT[]), CAST(:completions_reason AS TEXT[]),
        CAST(:completions_not_before AS TEXT[]), CAST(:completions_finished_at AS TEXT[])
    ) AS ended (owner, key, lease, state, reason, not_before, finished_at)
    JOIN u ON u.id = ended.owner
    WHERE outbox.key = ended.key AND outbox.lease = ended.lease AND outbox.state = 'due'
    RETURNING ended.owner
)

-- name: completion_check
(
    (SELECT count(*) FROM finished) = (
        SELECT count(*) FROM unnest(CAST(:completions_owner AS TEXT[])) AS ended (owner)
        JOIN u AS won ON won.id = ended.owner
    )
    OR refuse_save('CP001', 'the lease is lost')
)

-- name: one_completion
finished AS (
    UPDATE outbox
    SET state = :completions_state, reason = :completions_reason, not_before = :completions_not_before, lease = NULL,
        leased_until = NULL, finished_at = :completions_finished_at
    FROM u
    WHERE outbox.key = :completions_key AND outbox.lease = :completions_lease AND outbox.state = 'due'
    RETURNING 1
)

-- name: one_completion_check
((SELECT count(*) FROM finished) = (SELECT count(*) FROM u) OR refuse_save('CP001', 'the lease is lost'))

-- name: one_input
claimed AS (
    INSERT INTO inbox (key, digest, verdict, connection_id, received_at)
    SELECT :inputs_key, :inputs_digest, :inputs_verdict, :inputs_connection_id, :inputs_at FROM u
    ON CONFLICT (key) DO NOTHING
    RETURNING key
),
audited AS (
    INSERT INTO audit (
        at, kind, function, event_key, digest, verdict, reason, pending, account_id, connection_id, name, actor,
        details
    )
    SELECT :inputs_at, :inputs_kind, :inputs_function, :inputs_key, :inputs_digest, :inputs_verdict, :inputs_reason,
        :inputs_pending, :inputs_account_id, :inputs_connection_id, :inputs_name, :inputs_actor, :inputs_details
    FROM u
)

-- name: one_input_check
((SELECT count(*) FROM claimed) = (SELECT count(*) FROM u) OR refuse_save('CP002', 'an inbox key is there already'))

-- name: inputs
input AS (
    SELECT listed.*
    FROM unnest(
        CAST(:inputs_owner AS TEXT[]), CAST(:inputs_claims AS BOOLEAN[]), CAST(:inputs_shown AS BOOLEAN[]),
        CAST(:inputs_at AS TEXT[]), CAST(:inputs_kind AS TEXT[]), CAST(:inputs_function AS TEXT[]),
        CAST(:inputs_key AS TEXT[]), CAST(:inputs_digest AS TEXT[]), CAST(:inputs_verdict AS TEXT[]),
        CAST(:inputs_reason AS TEXT[]), CAST(:inputs_pending AS TEXT[]), CAST(:inputs_account_id AS TEXT[]),
        CAST(:inputs_connection_id AS TEXT[]), CAST(:inputs_name AS TEXT[]), CAST(:inputs_actor AS TEXT[]),
        CAST(:inputs_details AS TEXT[])
    ) WITH ORDINALITY AS listed (
        owner, claims, shown, at, kind, function, key, digest, verdict, reason, pending, account_id, connection_id,
        name, actor, details, ord
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
    FROM unnest(
        CAST(:releases_owner AS TEXT[]), CAST(:releases_circuit_id AS TEXT[]), CAST(:releases_vlan_id AS INTEGER[]),
        CAST(:releases_connection_id AS TEXT[]), CAST(:releases_at AS TEXT[])
    ) AS listed (owner, circuit_id, vlan_id, connection_id, at)
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
    FROM unnest(
        CAST(:holds_owner AS TEXT[]), CAST(:holds_circuit_id AS TEXT[]), CAST(:holds_vlan_id AS INTEGER[]),
        CAST(:holds_mbps AS INTEGER[]), CAST(:holds_connection_id AS TEXT[]), CAST(:holds_at AS TEXT[])
    ) AS listed (owner, circuit_id, vlan_id, mbps, connection_id, at)
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
    FROM unnest(
        CAST(:records_owner AS TEXT[]), CAST(:records_key AS TEXT[]), CAST(:records_fact AS TEXT[]),
        CAST(:records_revision AS INTEGER[]), CAST(:records_digest AS TEXT[]), CAST(:records_connection_id AS TEXT[]),
        CAST(:records_account_id AS TEXT[]), CAST(:records_kind AS TEXT[]), CAST(:records_purpose AS TEXT[]),
        CAST(:records_biller AS TEXT[]), CAST(:records_payer AS TEXT[]), CAST(:records_amount AS TEXT[]),
        CAST(:records_currency AS TEXT[]), CAST(:records_period_start AS TEXT[]), CAST(:records_period_end AS TEXT[]),
        CAST(:records_record AS TEXT[]), CAST(:records_reverses AS TEXT[]), CAST(:records_at AS TEXT[])
    ) WITH ORDINALITY AS listed (
        owner, key, fact, revision, digest, connection_id, account_id, kind, purpose, biller, payer, amount, currency,
        period_start, period_end, record, reverses, at, ord
    )
    JOIN u ON u.id = listed.owner
    ORDER BY listed.ord
)

-- name: outbox
enqueued AS (
    INSERT INTO outbox (key, kind, target, payload, connection_id, not_before, created_at)
    SELECT listed.key, listed.kind, listed.target, listed.payload, listed.connection_id, listed.not_before, listed.at
    FROM unnest(
        CAST(:outbox_owner AS TEXT[]), CAST(:outbox_key AS TEXT[]), CAST(:outbox_kind AS TEXT[]),
        CAST(:outbox_target AS TEXT[]), CAST(:outbox_payload AS TEXT[]), CAST(:outbox_connection_id AS TEXT[]),
        CAST(:outbox_not_before AS TEXT[]), CAST(:outbox_at AS TEXT[])
    ) WITH ORDINALITY AS listed (owner, key, kind, target, payload, connection_id, not_before, at, ord)
    JOIN u ON u.id = listed.owner
    ORDER BY listed.ord
    ON CONFLICT (key) DO NOTHING
)

-- name: cleared
settled AS (
    UPDATE finding
    SET cleared_at = listed.at
    FROM unnest(
        CAST(:cleared_owner AS TEXT[]), CAST(:cleared_key AS TEXT[]), CAST(:cleared_at AS TEXT[])
    ) AS listed (owner, key, at)
    JOIN u ON u.id = listed.owner
    WHERE finding.key = listed.key AND finding.cleared_at IS NULL
)

-- name: wakes
-- What waits for a change of its connection is due when there is one. A leased row finds out by the version it has seen.
woken AS (
    UPDATE outbox
    SET not_before = listed.at
    FROM unnest(
        CAST(:wakes_owner AS TEXT[]), CAST(:wakes_own AS TEXT[]), CAST(:wakes_at AS TEXT[])
    ) AS listed (owner, own, at)
    JOIN u ON u.id = listed.owner
    WHERE outbox.connection_id = listed.owner
        AND outbox.state = 'due'
        AND outbox.key <> listed.own
        AND outbox.not_before > listed.at
        AND (left(outbox.reason, 8) = 'waiting:' OR left(outbox.reason, 10) = 'too_early:')
)

-- name: one_wake
woken AS (
    UPDATE outbox
    SET not_before = :wakes_at
    FROM u
    WHERE outbox.connection_id = u.id
        AND outbox.state = 'due'
        AND outbox.key <> :wakes_own
        AND outbox.not_before > :wakes_at
        AND (left(outbox.reason, 8) = 'waiting:' OR left(outbox.reason, 10) = 'too_early:')
)

-- name: findings
found AS (
    INSERT INTO finding (key, connection_id, code, subject, details, at)
    SELECT listed.key, listed.connection_id, listed.code, listed.subject, listed.details, listed.at
    FROM unnest(
        CAST(:findings_owner AS TEXT[]), CAST(:findings_key AS TEXT[]), CAST(:findings_connection_id AS TEXT[]),
        CAST(:findings_code AS TEXT[]), CAST(:findings_subject AS TEXT[]), CAST(:findings_details AS TEXT[]),
        CAST(:findings_at AS TEXT[])
    ) AS listed (owner, key, connection_id, code, subject, details, at)
    JOIN u ON u.id = listed.owner
    ORDER BY listed.key
    ON CONFLICT (key) DO UPDATE SET details = excluded.details, at = excluded.at, cleared_at = NULL
    WHERE finding.cleared_at IS NOT NULL
)

-- name: routes
routed AS (
    INSERT INTO route (route, connection_id)
    SELECT listed.route, listed.owner
    FROM unnest(CAST(:routes_owner AS TEXT[]), CAST(:routes_route AS TEXT[])) AS listed (owner, route)
    JOIN u ON u.id = listed.owner
    ORDER BY listed.route
    ON CONFLICT (route) DO NOTHING
)

-- name: one_route
routed AS (
    INSERT INTO route (route, connection_id)
    SELECT :routes_route, id FROM u
    ON CONFLICT (route) DO NOTHING
)

-- name: folded
forgotten AS (
    DELETE FROM unrouted
    USING unnest(CAST(:folded_owner AS TEXT[]), CAST(:folded_key AS TEXT[])) AS listed (owner, key)
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
    FROM unnest(
        CAST(:inputs_owner AS TEXT[]), CAST(:inputs_claims AS BOOLEAN[]), CAST(:inputs_shown AS BOOLEAN[]),
        CAST(:inputs_at AS TEXT[]), CAST(:inputs_kind AS TEXT[]), CAST(:inputs_function AS TEXT[]),
        CAST(:inputs_key AS TEXT[]), CAST(:inputs_digest AS TEXT[]), CAST(:inputs_verdict AS TEXT[]),
        CAST(:inputs_reason AS TEXT[]), CAST(:inputs_pending AS TEXT[]), CAST(:inputs_account_id AS TEXT[]),
        CAST(:inputs_connection_id AS TEXT[]), CAST(:inputs_name AS TEXT[]), CAST(:inputs_actor AS TEXT[]),
        CAST(:inputs_details AS TEXT[])
    ) WITH ORDINALITY AS listed (
        owner, claims, shown, at, kind, function, key, digest, verdict, reason, pending, account_id, connection_id,
        name, actor, details, ord
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
    FROM unnest(
        CAST(:unrouted_key AS TEXT[]), CAST(:unrouted_route AS TEXT[]), CAST(:unrouted_observation AS TEXT[]),
        CAST(:unrouted_at AS TEXT[])
    ) AS listed (key, route, observation, at)
    ORDER BY key
    ON CONFLICT (key) DO NOTHING
)

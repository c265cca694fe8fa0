-- What a save writes. The circuit and the connection's row come first: when either swap is lost, nothing else may be
-- written, or the event would count as taken without having been applied.

-- name: swap_circuit
UPDATE circuit
SET held_mbps = :held_mbps, vlan_bitmap = :vlan_bitmap, version = version + 1
WHERE circuit_id = :circuit_id AND version = :version;

-- name: insert_connection
-- Another connection with the same port is not this conflict: it is an error, and must not look like a lost race.
INSERT INTO connection (
    id, version, account_id, region, circuit_id, tenant_uid, port_id, accepted_vbr_id, vlan_id, spec, order_mode,
    flow, origin, group_id, phase, violations, port_glance, vbrs_glance, port_over, document, created_at, updated_at
) VALUES (
    :id, 1, :account_id, :region, :circuit_id, :tenant_uid, :port_id, :accepted_vbr_id, :vlan_id, :spec, :order_mode,
    :flow, :origin, :group_id, :phase, :violations, :port_glance, :vbrs_glance, :port_over, :document, :created_at,
    :at
)
ON CONFLICT (id) DO NOTHING;

-- name: update_connection
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
WHERE id = :id AND version = :version;

-- name: claim_input
INSERT INTO inbox (key, digest, verdict, connection_id, received_at)
VALUES (:key, :digest, :verdict, :connection_id, :at)
ON CONFLICT (key) DO NOTHING;

-- name: insert_audit
INSERT INTO audit (
    at, kind, function, event_key, digest, verdict, reason, pending, account_id, connection_id, name, actor, details
) VALUES (
    :at, :kind, :function, :key, :digest, :verdict, :reason, :pending, :account_id, :connection_id, :name, :actor,
    :details
);

-- name: release_hold
UPDATE vlan_hold
SET released_at = :at
WHERE circuit_id = :circuit_id AND vlan_id = :vlan_id AND connection_id = :connection_id AND released_at IS NULL;

-- name: insert_hold
INSERT INTO vlan_hold (circuit_id, vlan_id, mbps, connection_id, held_at)
VALUES (:circuit_id, :vlan_id, :mbps, :connection_id, :at);

-- name: insert_record
INSERT INTO ledger (
    key, fact, revision, digest, connection_id, account_id, kind, purpose, biller, payer, amount, currency,
    period_start, period_end, record, reverses, written_at
) VALUES (
    :key, :fact, :revision, :digest, :connection_id, :account_id, :kind, :purpose, :biller, :payer, :amount, :currency,
    :period_start, :period_end, :record, :reverses, :at
);

-- name: insert_outbox
INSERT INTO outbox (key, kind, target, payload, connection_id, not_before, created_at)
VALUES (:key, :kind, :target, :payload, :connection_id, :not_before, :at)
ON CONFLICT (key) DO NOTHING;

-- name: insert_finding
-- What was cleared and is there again is open again.
INSERT INTO finding (key, connection_id, code, subject, details, at)
VALUES (:key, :connection_id, :code, :subject, :details, :at)
ON CONFLICT (key) DO UPDATE SET details = excluded.details, at = excluded.at, cleared_at = NULL
WHERE finding.cleared_at IS NOT NULL;

-- name: clear_finding
UPDATE finding SET cleared_at = :at WHERE key = :key AND cleared_at IS NULL;

-- name: insert_route
INSERT INTO route (route, connection_id) VALUES (:route, :connection_id)
ON CONFLICT (route) DO NOTHING;

-- name: insert_unrouted
INSERT INTO unrouted (key, route, observation, at) VALUES (:key, :route, :observation, :at)
ON CONFLICT (key) DO NOTHING;

-- name: delete_unrouted
DELETE FROM unrouted WHERE key = :key;

-- name: finish_outbox
UPDATE outbox
SET state = :state, reason = :reason, lease = NULL, leased_until = NULL, finished_at = :finished_at,
    not_before = CASE
        WHEN EXISTS (
            SELECT 1 FROM connection WHERE connection.id = outbox.connection_id AND connection.version > :seen
        ) THEN :at
        ELSE :not_before
    END
WHERE key = :key AND lease = :lease AND state = 'due';

-- name: wake_outbox
-- What waits for a change of its connection is due when there is one. A leased row finds out by the version it has seen.
UPDATE outbox SET not_before = :at
WHERE connection_id = :connection_id AND state = 'due' AND key <> :own AND not_before > :at
    AND (substr(reason, 1, 8) = 'waiting:' OR substr(reason, 1, 10) = 'too_early:');

-- What people look at. A parameter that is null filters nothing.

-- name: view_connections
SELECT id, version, phase, violations, accepted_vbr_id, document, created_at, updated_at
FROM connection
WHERE :phase IS NULL OR phase = :phase
ORDER BY created_at DESC, id
LIMIT :limit;

-- name: view_connection
SELECT id, version, phase, violations, accepted_vbr_id, document, created_at, updated_at
FROM connection
WHERE id = :connection_id;

-- name: view_ledger
SELECT key, fact, revision, digest, connection_id, record, reverses, written_at, seq, prev_hash, hash
FROM ledger
WHERE :connection_id IS NULL OR connection_id = :connection_id
ORDER BY written_at, key
LIMIT :limit;

-- name: view_outbox
SELECT key, kind, target, payload, connection_id, state, reason, attempts, not_before, created_at, finished_at
FROM outbox
WHERE (:target IS NULL OR target = :target) AND (:connection_id IS NULL OR connection_id = :connection_id)
ORDER BY created_at, rowid
LIMIT :limit;

-- name: view_receipts
SELECT key, channel, recipient, at, reference FROM receipt ORDER BY at, channel;

-- name: view_receipts_of
SELECT receipt.key, receipt.channel, receipt.recipient, receipt.at, receipt.reference
FROM outbox
JOIN receipt ON receipt.key = outbox.key
WHERE outbox.connection_id = :connection_id
ORDER BY receipt.at, receipt.channel;

-- name: view_inputs
SELECT id, at, kind, function, event_key, digest, verdict, reason, pending, account_id, connection_id, name, actor,
    details
FROM audit
WHERE kind = 'input'
ORDER BY id DESC
LIMIT :limit;

-- name: view_audit_of
SELECT id, at, kind, function, event_key, digest, verdict, reason, pending, account_id, connection_id, name, actor,
    details
FROM audit
WHERE connection_id = :connection_id
ORDER BY id;

-- name: view_findings
SELECT key, connection_id, code, subject, details, at, cleared_at
FROM finding
WHERE (:connection_id IS NULL OR connection_id = :connection_id) AND (cleared_at IS NULL OR :cleared)
ORDER BY at, key
LIMIT :limit;

-- name: view_holds_of
SELECT circuit_id, vlan_id, mbps, held_at, released_at
FROM vlan_hold
WHERE connection_id = :connection_id
ORDER BY held_at, id;

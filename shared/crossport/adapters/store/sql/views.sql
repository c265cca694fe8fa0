-- What people look at. A parameter that is null filters nothing; PostgreSQL wants to be told the type of such a one.

-- name: view_connections
SELECT id, version, phase, violations, accepted_vbr_id, document, created_at, updated_at,
    (SELECT visibility FROM vbr_visibility WHERE vbr_visibility.account_id = connection.account_id)
FROM connection
WHERE CAST(:phase AS TEXT) IS NULL OR phase = :phase
ORDER BY created_at DESC, id
LIMIT :limit;

-- name: view_connection
SELECT id, version, phase, violations, accepted_vbr_id, document, created_at, updated_at,
    (SELECT visibility FROM vbr_visibility WHERE vbr_visibility.account_id = connection.account_id)
FROM connection
WHERE id = :connection_id;

-- name: view_ledger
SELECT key, fact, revision, digest, connection_id, record, reverses, written_at, seq, prev_hash, hash
FROM ledger
WHERE CAST(:connection_id AS TEXT) IS NULL OR connection_id = :connection_id
ORDER BY written_at, key
LIMIT :limit;

-- name: view_outbox
SELECT key, kind, target, payload, connection_id, state, reason, attempts, not_before, created_at, finished_at
FROM outbox
WHERE (CAST(:target AS TEXT) IS NULL OR target = :target)
    AND (CAST(:connection_id AS TEXT) IS NULL OR connection_id = :connection_id)
ORDER BY created_at, id
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
WHERE (CAST(:connection_id AS TEXT) IS NULL OR connection_id = :connection_id) AND (cleared_at IS NULL OR :cleared)
ORDER BY at, key
LIMIT :limit;

-- name: view_holds_of
SELECT circuit_id, vlan_id, mbps, held_at, released_at
FROM vlan_hold
WHERE connection_id = :connection_id
ORDER BY held_at, id;

-- name: view_vlans
-- Who held which VLAN ID, and when: holds that were live at some time of [since, until), which null leaves open.
SELECT vlan_hold.circuit_id, vlan_hold.vlan_id, vlan_hold.mbps, vlan_hold.held_at, vlan_hold.released_at,
    connection.id, connection.phase, connection.port_id, connection.tenant_uid, tenant.name
FROM vlan_hold
JOIN connection ON connection.id = vlan_hold.connection_id
LEFT JOIN tenant ON tenant.tenant_uid = connection.tenant_uid
WHERE (CAST(:circuit_id AS TEXT) IS NULL OR vlan_hold.circuit_id = :circuit_id)
    AND (CAST(:vlan_id AS INTEGER) IS NULL OR vlan_hold.vlan_id = :vlan_id)
    AND (CAST(:until AS TEXT) IS NULL OR vlan_hold.held_at < :until)
    AND (CAST(:since AS TEXT) IS NULL OR vlan_hold.released_at IS NULL OR vlan_hold.released_at > :since)
ORDER BY vlan_hold.circuit_id, vlan_hold.vlan_id, vlan_hold.held_at, vlan_hold.id;

-- name: view_live_vlans
-- The reason and time beside each hold are those of the command that will give it back, while it waits.
SELECT vlan_hold.circuit_id, vlan_hold.vlan_id, vlan_hold.mbps, vlan_hold.held_at, vlan_hold.released_at,
    connection.id, connection.phase, connection.port_id, connection.tenant_uid, tenant.name, outbox.reason,
    outbox.not_before
FROM vlan_hold
JOIN connection ON connection.id = vlan_hold.connection_id
LEFT JOIN tenant ON tenant.tenant_uid = connection.tenant_uid
LEFT JOIN outbox ON outbox.connection_id = connection.id AND outbox.kind = 'release_hold' AND outbox.state = 'due'
WHERE vlan_hold.circuit_id = :circuit_id AND vlan_hold.released_at IS NULL
ORDER BY vlan_hold.vlan_id;

-- name: view_group_of
SELECT sibling.id, sibling.phase, sibling.circuit_id, COALESCE(circuit.access_point, ''), sibling.port_id
FROM connection
JOIN connection AS sibling ON sibling.group_id = connection.group_id AND sibling.account_id = connection.account_id
LEFT JOIN circuit ON circuit.circuit_id = sibling.circuit_id
WHERE connection.id = :connection_id AND connection.group_id <> '' AND sibling.group_id <> ''
    AND sibling.id <> connection.id AND sibling.phase <> 'rejected'
ORDER BY sibling.created_at, sibling.id;

-- What a network operations centre asks of the store, and what it changes.

-- name: circuits
SELECT circuit_id, account_id, region, name, access_point, line_operator, bandwidth_mbps, status, held_mbps,
    vlan_bitmap, version
FROM circuit
ORDER BY circuit_id;

-- name: placements
-- The connections of a circuit with the other members of their redundancy groups; all connections where it is null.
SELECT connection.id, connection.account_id, connection.region, connection.circuit_id,
    COALESCE(circuit.access_point, ''), connection.tenant_uid, connection.group_id, connection.phase,
    connection.port_id, connection.vlan_id, connection.spec, connection.port_glance, connection.port_over,
    connection.updated_at
FROM connection
LEFT JOIN circuit ON circuit.circuit_id = connection.circuit_id
WHERE CAST(:circuit_id AS TEXT) IS NULL
    OR connection.circuit_id = :circuit_id
    OR connection.group_id <> '' AND (connection.group_id, connection.account_id) IN (
        SELECT here.group_id, here.account_id
        FROM connection AS here
        WHERE here.circuit_id = :circuit_id AND here.group_id <> ''
    )
ORDER BY connection.id;

-- name: pauses
SELECT account_id, since, actor, reason FROM pause ORDER BY account_id;

-- name: insert_pause
INSERT INTO pause (account_id, since, actor, reason) VALUES (:account_id, :since, :actor, :reason)
ON CONFLICT (account_id) DO NOTHING;

-- name: delete_pause
DELETE FROM pause WHERE account_id = :account_id;

-- name: wake_by_reason
-- Due at once, whatever clock they were put off by.
UPDATE outbox SET not_before = NULL WHERE state = 'due' AND reason = :waits_for AND not_before IS NOT NULL;

-- name: view_phases
SELECT phase, COUNT(*) FROM connection GROUP BY phase ORDER BY phase;

-- name: view_backlog
SELECT CASE target WHEN 'cloud' THEN 'commands' WHEN 'queue:notices' THEN 'notices' ELSE 'messages' END,
    state, reason, COUNT(*), MIN(created_at)
FROM outbox
WHERE state IN ('due', 'failed')
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3;

-- name: open_maintenance
SELECT document FROM maintenance WHERE cleared_at IS NULL ORDER BY starts_at, record_id;

-- name: view_maintenance
SELECT document FROM maintenance ORDER BY starts_at DESC, record_id;

-- name: insert_maintenance
INSERT INTO maintenance (record_id, circuit_id, starts_at, cleared_at, document)
VALUES (:record_id, :circuit_id, :starts_at, NULL, :document)
ON CONFLICT (record_id) DO NOTHING;

-- name: clear_maintenance
UPDATE maintenance SET cleared_at = :cleared_at, document = :document
WHERE record_id = :record_id AND cleared_at IS NULL;

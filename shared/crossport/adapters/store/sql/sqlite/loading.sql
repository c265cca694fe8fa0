-- Everything that a decision needs in one statement, so that all of it is of one moment. Rows are
-- (what, key, id, number, text); CROSS JOIN keeps the list of wanted keys outermost.

-- name: load
SELECT 'connection' AS what, route.route AS key, connection.id AS id, connection.version AS number,
    connection.document AS text
FROM json_each(:routes) AS wanted
CROSS JOIN route ON route.route = wanted.value
CROSS JOIN connection ON connection.id = route.connection_id
UNION ALL
SELECT 'inbox', inbox.key, NULL, NULL, inbox.digest
FROM json_each(:keys) AS wanted
CROSS JOIN inbox ON inbox.key = wanted.value
UNION ALL
SELECT 'circuit', circuit.circuit_id, NULL, circuit.version, json_array(
    circuit.circuit_id, circuit.account_id, circuit.region, circuit.name, circuit.access_point, circuit.line_operator,
    circuit.bandwidth_mbps, circuit.status, circuit.held_mbps, circuit.vlan_bitmap, circuit.version)
FROM json_each(:circuits) AS wanted
CROSS JOIN circuit ON circuit.circuit_id = wanted.value
UNION ALL
SELECT 'unrouted', unrouted.key, unrouted.at, NULL, json_array(unrouted.route, unrouted.observation)
FROM json_each(:routes) AS wanted
CROSS JOIN unrouted ON unrouted.route = wanted.value;

-- name: load_order
SELECT 'connection' AS what, id AS key, id, version AS number, document AS text
FROM connection
WHERE id = :connection_id
UNION ALL
SELECT 'circuit', circuit_id, NULL, version, json_array(
    circuit_id, account_id, region, name, access_point, line_operator, bandwidth_mbps, status, held_mbps, vlan_bitmap,
    version)
FROM circuit
WHERE circuit_id = :circuit_id
UNION ALL
SELECT 'tenant', tenant_uid, NULL, NULL, json_array(tenant_uid, name, site, language, email, zone)
FROM tenant
WHERE tenant_uid = :tenant_uid
UNION ALL
SELECT 'contract', number, NULL, NULL, json_array(
    number, account_id, tenant_uid, signed_on, valid_from, valid_until, zone)
FROM contract
WHERE account_id = :account_id AND tenant_uid = :tenant_uid
UNION ALL
SELECT 'hold', connection_id, NULL, NULL, json_array(circuit_id, vlan_id, mbps, connection_id)
FROM vlan_hold
WHERE connection_id = :connection_id AND circuit_id = :circuit_id AND released_at IS NULL
UNION ALL
SELECT 'sibling', COALESCE(circuit.access_point, ''), connection.id, connection.version, connection.document
FROM connection
LEFT JOIN circuit ON circuit.circuit_id = connection.circuit_id
WHERE connection.group_id = :group_id AND connection.group_id <> ''
    AND connection.account_id = :account_id AND connection.id <> :connection_id
UNION ALL
SELECT 'inbox', inbox.key, NULL, NULL, inbox.digest
FROM json_each(:keys) AS wanted
CROSS JOIN inbox ON inbox.key = wanted.value;

-- name: written_keys
SELECT outbox.key FROM json_each(:keys) AS wanted CROSS JOIN outbox ON outbox.key = wanted.value;

-- name: take_outbox
UPDATE outbox
SET lease = :lease, leased_until = :until, attempts = attempts + 1
WHERE key IN (
    SELECT key
    FROM outbox
    WHERE state = 'due'
        AND (not_before IS NULL OR not_before <= :now)
        AND (leased_until IS NULL OR leased_until <= :now)
    ORDER BY COALESCE(not_before, created_at), id
    LIMIT :limit
)
RETURNING COALESCE(not_before, created_at), id, key, kind, target, payload, connection_id, not_before, attempts,
    reason, created_at;

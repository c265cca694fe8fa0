-- Everything that a decision needs in one statement, so that all of it is of one moment; no lock. Rows are
-- (what, key, id, number, text), as in ../sqlite/loading.sql.

-- name: load
SELECT 'connection' AS what, route.route AS key, connection.id AS id, connection.version AS number,
    connection.document AS text
FROM route
JOIN connection ON connection.id = route.connection_id
WHERE route.route = ANY (CAST(:routes AS TEXT[]))
UNION ALL
SELECT 'inbox', key, NULL, NULL, digest
FROM inbox
WHERE key = ANY (CAST(:keys AS TEXT[]))
UNION ALL
SELECT 'circuit', circuit_id, NULL, version, CAST(json_build_array(
    circuit_id, account_id, region, name, access_point, line_operator, bandwidth_mbps, status, held_mbps, vlan_bitmap,
    version) AS TEXT)
FROM circuit
WHERE circuit_id = ANY (CAST(:circuits AS TEXT[]))
UNION ALL
SELECT 'unrouted', key, at, NULL, CAST(json_build_array(route, observation) AS TEXT)
FROM unrouted
WHERE route = ANY (CAST(:routes AS TEXT[]));

-- name: load_order
SELECT 'connection' AS what, id AS key, id, version AS number, document AS text
FROM connection
WHERE id = :connection_id
UNION ALL
SELECT 'circuit', circuit_id, NULL, version, CAST(json_build_array(
    circuit_id, account_id, region, name, access_point, line_operator, bandwidth_mbps, status, held_mbps, vlan_bitmap,
    version) AS TEXT)
FROM circuit
WHERE circuit_id = :circuit_id
UNION ALL
SELECT 'tenant', tenant_uid, NULL, NULL, CAST(json_build_array(
    tenant_uid, name, site, language, email, zone) AS TEXT)
FROM tenant
WHERE tenant_uid = :tenant_uid
UNION ALL
SELECT 'contract', number, NULL, NULL, CAST(json_build_array(
    number, account_id, tenant_uid, signed_on, valid_from, valid_until, zone) AS TEXT)
FROM contract
WHERE account_id = :account_id AND tenant_uid = :tenant_uid
UNION ALL
SELECT 'hold', connection_id, NULL, NULL, CAST(json_build_array(circuit_id, vlan_id, mbps, connection_id) AS TEXT)
FROM vlan_hold
WHERE connection_id = :connection_id AND circuit_id = :circuit_id AND released_at IS NULL
UNION ALL
SELECT 'sibling', COALESCE(circuit.access_point, ''), connection.id, connection.version, connection.document
FROM connection
LEFT JOIN circuit ON circuit.circuit_id = connection.circuit_id
WHERE connection.group_id = :group_id AND connection.group_id <> ''
    AND connection.account_id = :account_id AND connection.id <> :connection_id
UNION ALL
SELECT 'inbox', key, NULL, NULL, digest
FROM inbox
WHERE key = ANY (CAST(:keys AS TEXT[]));

-- name: written_keys
SELECT key FROM outbox WHERE key = ANY (CAST(:keys AS TEXT[]));

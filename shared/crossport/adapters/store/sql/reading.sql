-- name: get_connection
SELECT version, document FROM connection WHERE id = :connection_id;

-- name: get_tenant
SELECT tenant_uid, name, site, language, email, zone FROM tenant WHERE tenant_uid = :tenant_uid;

-- name: get_contract
SELECT number, account_id, tenant_uid, signed_on, valid_from, valid_until, zone
FROM contract
WHERE account_id = :account_id AND number = :number;

-- name: get_circuit
SELECT circuit_id, account_id, region, name, access_point, line_operator, bandwidth_mbps, status, held_mbps,
    vlan_bitmap, version
FROM circuit
WHERE circuit_id = :circuit_id;

-- name: get_configuration
SELECT version, document FROM configuration ORDER BY version DESC LIMIT 1;

-- name: has_receipt
SELECT 1 FROM receipt WHERE key = :key AND channel = :channel;

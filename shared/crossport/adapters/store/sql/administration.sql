-- What people change; each goes with an audit row that names actor and reason.

-- name: put_tenant
INSERT INTO tenant (tenant_uid, name, site, language, email, zone)
VALUES (:tenant_uid, :name, :site, :language, :email, :zone)
ON CONFLICT (tenant_uid) DO UPDATE SET
    name = excluded.name, site = excluded.site, language = excluded.language, email = excluded.email,
    zone = excluded.zone;

-- name: put_contract
INSERT INTO contract (account_id, number, tenant_uid, signed_on, valid_from, valid_until, zone)
VALUES (:account_id, :number, :tenant_uid, :signed_on, :valid_from, :valid_until, :zone)
ON CONFLICT (account_id, number) DO UPDATE SET
    tenant_uid = excluded.tenant_uid, signed_on = excluded.signed_on, valid_from = excluded.valid_from,
    valid_until = excluded.valid_until, zone = excluded.zone;

-- name: put_circuit
-- What holds have taken is never touched from here. The version moves, so that an order that was decided on the old
-- values is decided again.
INSERT INTO circuit (
    circuit_id, account_id, region, name, access_point, line_operator, bandwidth_mbps, status, held_mbps, vlan_bitmap,
    version
) VALUES (
    :circuit_id, :account_id, :region, :name, :access_point, :line_operator, :bandwidth_mbps, :status, 0, '0', 1
)
ON CONFLICT (circuit_id) DO UPDATE SET
    name = excluded.name, access_point = excluded.access_point, line_operator = excluded.line_operator,
    bandwidth_mbps = excluded.bandwidth_mbps, status = excluded.status, version = circuit.version + 1
WHERE circuit.account_id = excluded.account_id AND circuit.region = excluded.region;

-- name: insert_configuration
INSERT INTO configuration (version, document, applied_at, actor, reason)
VALUES (:version, :document, :at, :actor, :reason);

-- What the walk over the open connections reads, and where it has come to.

-- name: open_connections
-- The list of ended phases is that of the index connection_open, word for word.
SELECT connection.version, connection.document, COALESCE(circuit.access_point, ''), tenant.tenant_uid, tenant.name,
    tenant.site, tenant.language, tenant.email, tenant.zone, finding.details
FROM connection
LEFT JOIN circuit ON circuit.circuit_id = connection.circuit_id
LEFT JOIN tenant ON tenant.tenant_uid = connection.tenant_uid
LEFT JOIN finding
    ON finding.connection_id = connection.id AND finding.code = 'half_provisioned'
    AND finding.subject = connection.group_id AND finding.cleared_at IS NULL
WHERE connection.phase NOT IN ('rejected', 'failed', 'withdrawn', 'declined', 'released') AND connection.id > :after
ORDER BY connection.id
LIMIT :limit;

-- name: get_bookmark
SELECT place FROM bookmark WHERE name = :name;

-- name: put_bookmark
INSERT INTO bookmark (name, place, at) VALUES (:name, :place, :at)
ON CONFLICT (name) DO UPDATE SET place = excluded.place, at = excluded.at;

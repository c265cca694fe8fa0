-- What reconciliation compares with, and what it leaves behind.

-- name: known_ports
SELECT port_id, id, port_glance, vbrs_glance, port_over
FROM connection
WHERE circuit_id = :circuit_id AND port_id IS NOT NULL
ORDER BY port_id;

-- name: put_circuit_run
-- A run that is not complete leaves what is known of the latest complete one.
INSERT INTO circuit_run (
    circuit_id, account_id, at, complete, why, listed, differences, breaches, completed_at, completed_listed)
VALUES (:circuit_id, :account_id, :at, :complete, :why, :listed, :differences, :breaches, :completed_at,
    :completed_listed)
ON CONFLICT (circuit_id) DO UPDATE SET
    at = excluded.at, complete = excluded.complete, why = excluded.why, listed = excluded.listed,
    differences = excluded.differences, breaches = excluded.breaches,
    completed_at = CASE WHEN excluded.complete = 1 THEN excluded.completed_at ELSE circuit_run.completed_at END,
    completed_listed = CASE WHEN excluded.complete = 1 THEN excluded.completed_listed
        ELSE circuit_run.completed_listed END;

-- name: swept_circuits
SELECT circuit.circuit_id, circuit.account_id, circuit.region, COALESCE(circuit_run.completed_listed, 0),
    COALESCE(circuit_run.completed_at, '')
FROM circuit
LEFT JOIN circuit_run ON circuit_run.circuit_id = circuit.circuit_id
ORDER BY circuit.circuit_id;

-- name: open_circuit_findings
SELECT key FROM finding WHERE connection_id = :circuit_id AND cleared_at IS NULL;

-- name: view_circuit_runs
SELECT circuit_id, account_id, at, complete, why, listed, differences, breaches FROM circuit_run ORDER BY circuit_id;

-- name: get_vbr_visibility
SELECT visibility FROM vbr_visibility WHERE account_id = :account_id;

-- name: put_vbr_visibility
INSERT INTO vbr_visibility (account_id, visibility, evidence, at) VALUES (:account_id, :visibility, :evidence, :at)
ON CONFLICT (account_id) DO UPDATE SET
    visibility = excluded.visibility, evidence = excluded.evidence, at = excluded.at;

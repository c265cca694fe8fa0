-- What reconciliation compares with, and what it leaves behind.

-- name: known_ports
SELECT port_id, id, port_glance, vbrs_glance, port_over
FROM connection
WHERE circuit_id = :circuit_id AND port_id IS NOT NULL
ORDER BY port_id;

-- name: put_circuit_run
INSERT INTO circuit_run (circuit_id, account_id, at, complete, why, listed, differences, breaches)
VALUES (:circuit_id, :account_id, :at, :complete, :why, :listed, :differences, :breaches)
ON CONFLICT (circuit_id) DO UPDATE SET
    at = excluded.at, complete = excluded.complete, why = excluded.why, listed = excluded.listed,
    differences = excluded.differences, breaches = excluded.breaches;

-- name: open_circuit_findings
SELECT key FROM finding WHERE connection_id = :circuit_id AND cleared_at IS NULL;

-- name: view_circuit_runs
SELECT circuit_id, account_id, at, complete, why, listed, differences, breaches FROM circuit_run ORDER BY circuit_id;

-- What workers do, where SQLite has no word for it or needs none: locks.

-- name: take_outbox
-- MATERIALIZED: the limit is kept however the two are joined.
WITH due AS MATERIALIZED (
    SELECT id
    FROM outbox
    WHERE state = 'due'
        AND (not_before IS NULL OR not_before <= :now)
        AND (leased_until IS NULL OR leased_until <= :now)
    ORDER BY COALESCE(not_before, created_at), id
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox
SET lease = :lease, leased_until = :until, attempts = attempts + 1
FROM due
WHERE outbox.id = due.id
RETURNING COALESCE(not_before, created_at), outbox.id, key, kind, target, payload, connection_id, not_before, attempts,
    reason, created_at;

-- name: lock_writers
-- One administrative change or sealing at a time, so that what it reads stays true. Saves do not take this lock.
SELECT pg_advisory_xact_lock(hashtext('crossport'), 1);

-- name: lock_many
-- Before several saves of one transaction: circuits first, each table in the order of its ids.
WITH locked_circuits AS MATERIALIZED (
    SELECT circuit_id FROM circuit WHERE circuit_id = ANY (CAST(:circuits AS TEXT[])) ORDER BY circuit_id FOR UPDATE
),
locked AS MATERIALIZED (
    SELECT id
    FROM connection
    WHERE id = ANY (CAST(:ids AS TEXT[])) AND (SELECT count(*) FROM locked_circuits) >= 0
    ORDER BY id
    FOR UPDATE
)
SELECT count(*) FROM locked;

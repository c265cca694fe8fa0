-- Dead letters, and the counting of tries that leads to them.

-- name: count_attempt
INSERT INTO attempt (key, tries, at) VALUES (:key, 1, :at)
ON CONFLICT (key) DO UPDATE SET tries = attempt.tries + 1, at = excluded.at
RETURNING tries;

-- name: forget_attempts
DELETE FROM attempt WHERE at < :before;

-- name: insert_dead_letter
INSERT INTO dead_letter (key, at, function, source, cause, form, account_id, name, details, body)
VALUES (:key, :at, :function, :source, :cause, :form, :account_id, :name, :details, :body)
ON CONFLICT (key) DO NOTHING;

-- name: dead_letters_of_cause
SELECT
    COALESCE(SUM(CASE WHEN state = 'kept' THEN 1 ELSE 0 END), 0),
    COALESCE(SUM(CASE WHEN state = 'kept' THEN 0 ELSE 1 END), 0)
FROM dead_letter
WHERE function = :function AND cause = :cause AND source = :source;

-- name: get_dead_letter
SELECT key, at, function, source, cause, form, account_id, name, details, state, settled_at, actor, reason, body
FROM dead_letter
WHERE key = :key;

-- name: settle_dead_letter
UPDATE dead_letter
SET state = :state, settled_at = :at, actor = :actor, reason = :reason
WHERE key = :key AND state = :before;

-- name: view_dead_letters
SELECT key, at, function, source, cause, form, account_id, name, details, state, settled_at, actor, reason,
    LENGTH(body)
FROM dead_letter
WHERE (CAST(:state AS TEXT) IS NULL OR state = :state)
    AND (CAST(:cause AS TEXT) IS NULL OR cause = :cause)
    AND (CAST(:function AS TEXT) IS NULL OR function = :function)
ORDER BY at, key
LIMIT :limit;

-- Leases, sealing, receipts: what workers do between saves.

-- name: take_lease
-- Also renews the holder's own.
INSERT INTO lease (name, holder, until) VALUES (:name, :holder, :until)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE lease.holder = excluded.holder OR lease.until <= :now;

-- name: last_seal
SELECT seq, hash FROM ledger WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1;

-- name: unsealed_records
SELECT key, revision, connection_id, record, reverses
FROM ledger
WHERE seq IS NULL
ORDER BY written_at, key
LIMIT :limit;

-- name: seal_record
UPDATE ledger SET seq = :seq, prev_hash = :prev_hash, hash = :hash WHERE key = :key AND seq IS NULL;

-- name: insert_receipt
INSERT INTO receipt (key, channel, recipient, at, reference) VALUES (:key, :channel, :recipient, :at, :reference)
ON CONFLICT (key, channel) DO NOTHING;

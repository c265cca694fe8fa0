-- The shared budget of calls: a token bucket in one row, refilled when it is asked. A row from further ahead than
-- :latest was written by a clock that was wrong: it counts as none. julianday counts milliseconds; rounding takes back what its fractions of a day have lost.

-- name: take_call
INSERT INTO api_budget (account_id, region, api, tokens, at)
VALUES (:account_id, :region, :api, :burst - 1, :now)
ON CONFLICT (account_id, region, api) DO UPDATE SET
    tokens = CASE WHEN api_budget.at > :latest THEN :burst ELSE MIN(:burst, api_budget.tokens
        + :per_second * MAX(0, ROUND((julianday(excluded.at) - julianday(api_budget.at)) * 86400, 3))) END - 1,
    at = CASE WHEN api_budget.at > :latest THEN excluded.at ELSE MAX(api_budget.at, excluded.at) END
WHERE api_budget.at > :latest OR MIN(:burst, api_budget.tokens
    + :per_second * MAX(0, ROUND((julianday(excluded.at) - julianday(api_budget.at)) * 86400, 3))) >= 1;

-- name: hold_calls
INSERT INTO api_budget (account_id, region, api, tokens, at)
VALUES (:account_id, :region, :api, 0, :until)
ON CONFLICT (account_id, region, api) DO UPDATE SET tokens = 0, at = MAX(api_budget.at, excluded.at);

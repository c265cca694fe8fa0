-- The shared budget of calls: see ../sqlite/quota.sql.

-- name: take_call
INSERT INTO api_budget (account_id, region, api, tokens, at)
VALUES (:account_id, :region, :api, CAST(:burst AS DOUBLE PRECISION) - 1, :now)
ON CONFLICT (account_id, region, api) DO UPDATE SET
    tokens = CASE WHEN api_budget.at > CAST(:latest AS TEXT) THEN CAST(:burst AS DOUBLE PRECISION)
        ELSE LEAST(CAST(:burst AS DOUBLE PRECISION), api_budget.tokens + CAST(:per_second AS DOUBLE PRECISION)
            * GREATEST(0, EXTRACT(EPOCH FROM
                CAST(excluded.at AS TIMESTAMPTZ) - CAST(api_budget.at AS TIMESTAMPTZ)))) END - 1,
    at = CASE WHEN api_budget.at > CAST(:latest AS TEXT) THEN excluded.at
        ELSE GREATEST(api_budget.at, excluded.at) END
WHERE api_budget.at > CAST(:latest AS TEXT)
    OR LEAST(CAST(:burst AS DOUBLE PRECISION), api_budget.tokens + CAST(:per_second AS DOUBLE PRECISION)
        * GREATEST(0, EXTRACT(EPOCH FROM
            CAST(excluded.at AS TIMESTAMPTZ) - CAST(api_budget.at AS TIMESTAMPTZ)))) >= 1;

-- name: hold_calls
INSERT INTO api_budget (account_id, region, api, tokens, at)
VALUES (:account_id, :region, :api, 0, :until)
ON CONFLICT (account_id, region, api) DO UPDATE SET tokens = 0, at = GREATEST(api_budget.at, excluded.at);

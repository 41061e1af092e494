-- How often a grant with a volume was used by a recipient on a day (UTC).
SET LOCAL lock_timeout = '10s';

CREATE TABLE volume (
    grant_id    text    NOT NULL,
    institution text    NOT NULL,
    day         date    NOT NULL,
    used        bigint  NOT NULL CHECK (used > 0),
    -- What the grant allowed when it was used last.
    most        bigint  NOT NULL,
    PRIMARY KEY (grant_id, institution, day)
);

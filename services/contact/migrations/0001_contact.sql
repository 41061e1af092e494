-- Contacts: inserted and read, never changed. A repeat is recognised by (agent, request_id).
-- `exchange_id` is that of the log (16 bytes), null where a contact refers to none.
SET LOCAL lock_timeout = '10s';

CREATE TABLE contact (
    id          uuid        PRIMARY KEY,
    agent       text        NOT NULL,
    request_id  text        NOT NULL CHECK (length(request_id) BETWEEN 1 AND 64),
    recorded_at timestamptz NOT NULL,
    channel     text        NOT NULL
        CHECK (channel IN ('PHONE', 'MAIL', 'PORTAL', 'LETTER', 'COUNTER')),
    language    text        NOT NULL CHECK (language IN ('fr', 'nl', 'de', 'en')),
    topic       text        NOT NULL CHECK (length(topic) BETWEEN 1 AND 200),
    exchange_id bytea       CHECK (length(exchange_id) = 16),
    UNIQUE (agent, request_id)
);

CREATE INDEX contact_about ON contact (exchange_id, recorded_at DESC, id DESC)
    WHERE exchange_id IS NOT NULL;

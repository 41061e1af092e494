-- What took a key up stays on record when another replaces it: `recorded_at` and `log_index` are of
-- the first, `replaced_at` and `replaced_log_index` of the newest act that moved `current`.
--
-- The log keeps the id of an act in clear and for ever. National numbers are so few that a mere hash
-- of one is no secret, so these ids are keyed. The key stands beside the keys of all persons: who
-- reads it here has them anyhow.
SET LOCAL lock_timeout = '10s';

ALTER TABLE person_key
    ADD COLUMN replaced_at        timestamptz,
    ADD COLUMN replaced_log_index bigint;

CREATE TABLE act_secret (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    secret   bytea   NOT NULL CHECK (length(secret) = 32)
);

-- 244 random bits of the server's own strong source.
INSERT INTO act_secret (secret)
VALUES (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

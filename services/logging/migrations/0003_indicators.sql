-- How many exchanges of a service ended so on a day (UTC): counted with the index of terms, once each.
SET LOCAL lock_timeout = '10s';

CREATE TABLE indicator (
    log_id integer NOT NULL,
    day date NOT NULL,
    service text NOT NULL,
    outcome text NOT NULL,
    exchanges bigint NOT NULL,
    PRIMARY KEY (log_id, day, service, outcome)
);

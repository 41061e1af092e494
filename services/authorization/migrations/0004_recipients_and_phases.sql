-- A grant to a group names its members, as they were when it was written; phases beside capacities.
SET LOCAL lock_timeout = '10s';

ALTER TABLE grant_row
    ADD COLUMN institutions  text[]   NOT NULL DEFAULT '{}',
    ADD COLUMN group_name    text     NOT NULL DEFAULT '',
    ADD COLUMN caller_phases bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN source_phases bigint[] NOT NULL DEFAULT '{}',
    ADD CHECK (institution = '' OR institutions = '{}');

-- The login of Vault's database engine, as on one machine (services/cli/platform/postgres.py). It has
-- no password, so it is nobody's, until infra/runbooks/install.md gives it one that Vault changes at once.
DO $$
DECLARE
  service text := current_database();
  owner text := service || '_owner';
  vault text := 'vault_' || service;
BEGIN
  EXECUTE format('ALTER ROLE %I NOLOGIN', owner);
  EXECUTE format('CREATE ROLE %I LOGIN CREATEROLE', vault);
  EXECUTE format('GRANT %I TO %I WITH ADMIN TRUE, INHERIT FALSE, SET FALSE', owner, vault);
  EXECUTE format('ALTER ROLE %I SET createrole_self_grant = ''inherit''', vault);
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', service);
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I, pg_monitor', service, vault);
END
$$;
REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
REVOKE CONNECT ON DATABASE template1 FROM PUBLIC;
-- The operator's own logins, which it makes only after this: a former primary asks the new one by
-- streaming_replica before it follows it, and metrics are read by a member of pg_monitor.
CREATE ROLE streaming_replica LOGIN REPLICATION;
GRANT CONNECT ON DATABASE postgres TO streaming_replica, pg_monitor;

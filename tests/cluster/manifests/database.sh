# Start the PostgreSQL of $SERVICE; the first time, make its database and its logins.
set -eu
export PGDATA=/data/pg
if [ ! -s $PGDATA/PG_VERSION ]; then
  initdb -U postgres --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 \
    --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C
  printf 'local all all trust\nhostnossl all all all reject\nhostssl all all all scram-sha-256\n' > $PGDATA/pg_hba.conf
  pg_ctl -w start -o "-c listen_addresses='' -c unix_socket_directories=/tmp"
  psql -h /tmp -U postgres -qc "CREATE ROLE ${SERVICE}_owner"
  createdb -h /tmp -U postgres -O "${SERVICE}_owner" "$SERVICE" # quotes what is a keyword
  psql -h /tmp -U postgres -v ON_ERROR_STOP=1 -qf /config/roles.sql "$SERVICE"
  psql -h /tmp -U postgres -qc "ALTER ROLE vault_$SERVICE PASSWORD '$(cat /tls/password)'"
  pg_ctl -w stop
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp -c max_connections=200 \
  -c ssl=on -c ssl_cert_file=/tls/tls.crt -c ssl_key_file=/tls/tls.key

#!/bin/sh
# As much of the official image's entrypoint as docker-compose.yml relies on: makes the database at the first start.
set -eu
test "$1" = postgres || exec "$@"
if ! test -s "$PGDATA/PG_VERSION"; then
  chmod 700 "$PGDATA"
  initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=trust --auth-host=trust
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl --wait --options="-c listen_addresses=''" start
  createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl --wait --mode=fast stop
fi
# The compiler for queries was left out of the base.
exec "$@" -c listen_addresses='*' -c jit=off

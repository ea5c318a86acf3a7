#!/bin/sh
# Run once by the database container: the role that the API runs as. It owns nothing.
set -eu
psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set=ON_ERROR_STOP=1 \
  --set=password="$(cat /run/secrets/db_runtime_password)" <<'SQL'
CREATE ROLE app_rt LOGIN NOBYPASSRLS PASSWORD :'password';
SQL

#!/bin/bash
# Run once by the postgres image, on an empty volume: one role for us, one for Temporal, neither a superuser.
set -euo pipefail

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set ours="$RINGMASTER_DB_PASSWORD" --set theirs="$TEMPORAL_DB_PASSWORD" <<'SQL'
CREATE ROLE ringmaster LOGIN PASSWORD :'ours';
CREATE ROLE temporal LOGIN CREATEDB PASSWORD :'theirs';
-- The builtin locale sorts as the embedded server does and survives an upgrade of the image's C library.
CREATE DATABASE ringmaster OWNER ringmaster TEMPLATE template0 ENCODING 'UTF8'
  LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C';
REVOKE CONNECT ON DATABASE ringmaster FROM PUBLIC;
SQL

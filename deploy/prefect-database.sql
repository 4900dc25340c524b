-- Prefect's own database, beside the ledger: made at the first start.
CREATE DATABASE prefect OWNER tandem;
\connect prefect
CREATE EXTENSION IF NOT EXISTS pg_trgm;

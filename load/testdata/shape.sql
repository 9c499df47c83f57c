CREATE TABLE "crm"."Accounts" (
	"_division" INTEGER,
	"Timestamp" BIGINT,
	"ID" UUID,
	"Name" VARCHAR,
	"Amount" DECIMAL(18,4),
	"_synced_at" TIMESTAMPTZ,
	"_run_id" VARCHAR,
	"_deleted_at" TIMESTAMPTZ,
	"_extra" JSON);

ALTER TABLE "crm"."Accounts" ADD COLUMN "Amount" DECIMAL(18,4);

CREATE TEMP TABLE part (part INTEGER, scope INTEGER, began TIMESTAMPTZ, history TIMESTAMP);

INSERT INTO temp.part VALUES (?, ?, ?, nullif(?, '')::TIMESTAMP), (?, ?, ?, nullif(?, '')::TIMESTAMP);

DROP TABLE IF EXISTS temp.part;
DROP TABLE IF EXISTS temp.newest;
DROP TABLE IF EXISTS temp.met;
DROP TABLE IF EXISTS temp.content;
DROP TABLE IF EXISTS temp.gone;

CREATE TEMP TABLE gone AS SELECT DISTINCT t."_division" AS scope, t.rowid AS existing
FROM "crm"."Accounts" t JOIN _exactduck.tombstones d ON d."EntityType" = $1 AND d."_division" = t."_division" AND d."EntityKey" = t."ID"
WHERE d._synced_at = $2::TIMESTAMPTZ AND d._run_id = $3
AND (t."Timestamp" IS NULL OR t."Timestamp" <= d."Timestamp");

DELETE FROM "crm"."Accounts" WHERE rowid IN (SELECT existing FROM temp.gone);

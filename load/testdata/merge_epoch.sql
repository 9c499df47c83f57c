SELECT p.part, count(*), count(*) FILTER (t._deleted_at IS NULL)
FROM "crm"."Accounts" t JOIN temp.part p ON t."_division" = p.scope GROUP BY p.part;

CREATE TEMP TABLE newest AS FROM (SELECT "_part" AS part, "_ordinal" AS ordinal, "_division" AS scope, "ID" AS k0, "Timestamp" AS version, hash("Timestamp", "ID", "Name", NULL::VARCHAR, "_extra") AS content
FROM exactduck_pages(?))
QUALIFY row_number() OVER (PARTITION BY scope, k0 ORDER BY version DESC NULLS LAST, ordinal DESC) = 1;

DELETE FROM temp.newest WHERE ordinal IN (
SELECT s.ordinal FROM temp.newest s JOIN temp.part p ON p.part = s.part
JOIN _exactduck.tombstones d ON d."EntityType" = ? AND d."_division" = s.scope AND d."EntityKey" = s.k0
AND (s.version IS NULL OR s.version <= d."Timestamp"));

CREATE TEMP TABLE met AS SELECT s.part, s.ordinal, t.rowid AS existing, false AS stays, s.content, t._deleted_at IS NULL AS live
FROM temp.newest s JOIN "crm"."Accounts" t ON t."_division" = s.scope AND t."ID" IS NOT DISTINCT FROM s.k0;

CREATE TEMP TABLE content AS SELECT t.rowid AS existing, hash(t."Timestamp", t."ID", t."Name", t."Notes", t."_extra") AS content
FROM "crm"."Accounts" t WHERE t.rowid IN (SELECT existing FROM temp.met WHERE live);

UPDATE temp.met SET stays = true FROM temp.content c
WHERE c.existing = met.existing AND c.content = met.content AND met.live;

SELECT s.part, count(*) FILTER (m.ordinal IS NULL), count(*) FILTER (NOT m.stays)
FROM temp.newest s LEFT JOIN (SELECT ordinal, bool_and(stays) AS stays FROM temp.met GROUP BY ordinal) m ON m.ordinal = s.ordinal
GROUP BY s.part;

SELECT s.ordinal FROM temp.newest s ANTI JOIN (SELECT ordinal FROM temp.met WHERE stays) m ON m.ordinal = s.ordinal;

DELETE FROM "crm"."Accounts" WHERE rowid IN (SELECT existing FROM temp.met WHERE NOT stays);

INSERT INTO "crm"."Accounts" ("_division", "Timestamp", "ID", "Name", _synced_at, _run_id, _extra)
SELECT "_division", "Timestamp", "ID", "Name", ?::TIMESTAMPTZ, ?, _extra FROM exactduck_pages(?);

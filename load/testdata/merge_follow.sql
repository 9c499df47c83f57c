SELECT p.part, count(*), count(*) FILTER (t._deleted_at IS NULL)
FROM "logistics"."Items ""old""" t JOIN temp.part p ON t."_division" = p.scope GROUP BY p.part;

CREATE TEMP TABLE newest AS FROM (SELECT "_part" AS part, "_ordinal" AS ordinal, "_division" AS scope, "Code" AS k0, "Line" AS k1, hash("Code", "Line", "Name", "_extra") AS content, "EntryID" AS header, false AS out
FROM exactduck_pages(?))
QUALIFY row_number() OVER (PARTITION BY scope, k0, k1 ORDER BY ordinal DESC) = 1;

DELETE FROM temp.newest WHERE ordinal IN (
SELECT s.ordinal FROM temp.newest s JOIN temp.part p ON p.part = s.part
JOIN _exactduck.tombstones d ON d."EntityType" = ? AND d."_division" = s.scope AND d."EntityKey" = s.k0);

UPDATE temp.newest SET out = true WHERE ordinal IN (
SELECT s.ordinal FROM temp.newest s JOIN temp.part p ON p.part = s.part
JOIN _exactduck.tombstones d ON d."EntityType" = ? AND d."_division" = s.scope AND d."EntityKey" = s.header);

CREATE TEMP TABLE gone AS SELECT s.part, t.rowid AS existing, t._deleted_at IS NULL AS live
FROM temp.newest s JOIN "logistics"."Items ""old""" t ON t."_division" = s.scope AND t."Code" IS NOT DISTINCT FROM s.k0 AND t."Line" IS NOT DISTINCT FROM s.k1 WHERE s.out AND t._deleted_at IS NULL;

SELECT part, count(*), count(*) FILTER (live) FROM temp.gone GROUP BY part;

DELETE FROM temp.newest WHERE out;

CREATE TEMP TABLE met AS SELECT s.part, s.ordinal, t.rowid AS existing, false AS stays, s.content, t._deleted_at IS NULL AS live
FROM temp.newest s JOIN "logistics"."Items ""old""" t ON t."_division" = s.scope AND t."Code" IS NOT DISTINCT FROM s.k0 AND t."Line" IS NOT DISTINCT FROM s.k1;

CREATE TEMP TABLE content AS SELECT t.rowid AS existing, hash(t."Code", t."Line", t."Name", t."_extra") AS content
FROM "logistics"."Items ""old""" t WHERE t.rowid IN (SELECT existing FROM temp.met WHERE live);

UPDATE temp.met SET stays = true FROM temp.content c
WHERE c.existing = met.existing AND c.content = met.content AND met.live;

SELECT s.part, count(*) FILTER (m.ordinal IS NULL), count(*) FILTER (NOT m.stays)
FROM temp.newest s LEFT JOIN (SELECT ordinal, bool_and(stays) AS stays FROM temp.met GROUP BY ordinal) m ON m.ordinal = s.ordinal
GROUP BY s.part;

SELECT s.ordinal FROM temp.newest s ANTI JOIN (SELECT ordinal FROM temp.met WHERE stays) m ON m.ordinal = s.ordinal;

DELETE FROM "logistics"."Items ""old""" WHERE rowid IN (SELECT existing FROM temp.met WHERE NOT stays);

UPDATE "logistics"."Items ""old""" SET _deleted_at = $1, _synced_at = $1, _run_id = $2 WHERE rowid IN (SELECT existing FROM temp.gone);

INSERT INTO "logistics"."Items ""old""" ("_division", "Code", "Line", "Name", _synced_at, _run_id, _extra)
SELECT "_division", "Code", "Line", "Name", ?::TIMESTAMPTZ, ?, _extra FROM exactduck_pages(?);

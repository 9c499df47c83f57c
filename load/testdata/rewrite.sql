SELECT p.part, count(*), count(*) FILTER (t._deleted_at IS NULL)
FROM "logistics"."Items ""old""" t JOIN temp.part p ON t."_division" = p.scope GROUP BY p.part;

SELECT p.part, count(*), sum(hash(t."Code", t."Line", t."Name", t."_extra")::HUGEINT)::VARCHAR, sum(hash('again', t."Code", t."Line", t."Name", t."_extra")::HUGEINT)::VARCHAR
FROM "logistics"."Items ""old""" t JOIN temp.part p ON t."_division" = p.scope GROUP BY p.part;

SELECT "_part" AS part, count(*), sum(hash("Code", "Line", "Name", "_extra")::HUGEINT)::VARCHAR, sum(hash('again', "Code", "Line", "Name", "_extra")::HUGEINT)::VARCHAR
FROM exactduck_pages(?) GROUP BY "_part";

DELETE FROM "logistics"."Items ""old""" WHERE "_division" IN (SELECT scope FROM temp.part WHERE part = ?);

INSERT INTO "logistics"."Items ""old""" ("_division", "Code", "Line", "Name", _synced_at, _run_id, _extra)
SELECT "_division", "Code", "Line", "Name", ?::TIMESTAMPTZ, ?, _extra FROM exactduck_pages(?);

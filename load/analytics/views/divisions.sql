-- The divisions of which anything has been read. Name and currency are always known; the country
-- and the rest come from whichever list of divisions is synced (system/Divisions, system/AllDivisions or hrm/Divisions).
--
-- supports
-- needs analytics.completeness
-- needs analytics.labels
-- wants exact_system.Divisions: Code INTEGER, Description VARCHAR, Currency VARCHAR, Country VARCHAR, VATNumber VARCHAR, Status INTEGER
-- wants exact_system.AllDivisions: Code INTEGER, Description VARCHAR, Currency VARCHAR, Country VARCHAR, VATNumber VARCHAR, Status INTEGER
-- wants hrm.Divisions: Code INTEGER, Description VARCHAR, Currency VARCHAR, Country VARCHAR, VATNumber VARCHAR
WITH lists AS (
    SELECT 1 AS place, Code, Description, Currency, Country, VATNumber, Status FROM {exact_system.Divisions}
    UNION ALL
    SELECT 2, Code, Description, Currency, Country, VATNumber, Status FROM {exact_system.AllDivisions}
    UNION ALL
    SELECT 3, Code, Description, Currency, Country, VATNumber, NULL FROM {hrm.Divisions}
    UNION ALL
    SELECT 4, TRY_CAST(scope AS INTEGER), name, currency, NULL, NULL, NULL FROM _exactduck.divisions WHERE prefix = {prefix}
), named AS (
    SELECT Code,
           arg_min(nullif(Description, ''), place) AS name,
           arg_min(nullif(trim(Currency), ''), place) AS currency,
           arg_min(nullif(trim(Country), ''), place) AS country,
           arg_min(VATNumber, place) AS vat_number,
           arg_min(Status, place) AS status
    FROM lists
    GROUP BY Code
)
SELECT c.division_code,
       n.name AS division_name,
       n.currency,
       n.country,
       n.vat_number,
       n.status,
       s.english AS status_en,
       s.dutch AS status_nl
FROM (SELECT DISTINCT division_code FROM {analytics.completeness} WHERE division_code <> 0) c
LEFT JOIN named n ON n.Code = c.division_code
LEFT JOIN {analytics.labels} s ON s.kind = 'division status' AND s.code = n.status

-- Every day of every financial period, per division: join any date to it to find the financial year and period, which may
-- begin in any month. A day that lies in two periods, as the last day of a year does where a closing period follows
-- the twelfth, is in the earlier one; a day that lies in none is not there.
--
-- needs analytics.divisions
-- needs analytics.labels
-- needs financial.FinancialPeriods: FinYear INTEGER, FinPeriod INTEGER, StartDate TIMESTAMP, EndDate TIMESTAMP
WITH periods AS (
    SELECT _division AS division_code, FinYear AS financial_year, FinPeriod AS financial_period,
           CAST(StartDate AS DATE) AS period_start, CAST(EndDate AS DATE) AS period_end
    FROM {financial.FinancialPeriods}
    WHERE StartDate <= EndDate AND EndDate - StartDate < INTERVAL 800 DAYS
), days AS (
    SELECT division_code, financial_year, financial_period, period_start, period_end,
           CAST(unnest(generate_series(period_start, period_end, INTERVAL 1 DAY)) AS DATE) AS date
    FROM periods
), chosen AS (
    SELECT DISTINCT ON (division_code, date) * FROM days ORDER BY division_code, date, financial_year, financial_period
)
SELECT c.division_code,
       d.division_name,
       c.date,
       c.financial_year,
       c.financial_period,
       c.period_start,
       c.period_end,
       min(c.period_start) OVER (PARTITION BY c.division_code, c.financial_year) AS year_start,
       max(c.period_end) OVER (PARTITION BY c.division_code, c.financial_year) AS year_end,
       year(c.date) AS calendar_year,
       quarter(c.date) AS calendar_quarter,
       month(c.date) AS calendar_month,
       m.english AS month_en,
       m.dutch AS month_nl,
       isoyear(c.date) AS iso_year,
       week(c.date) AS iso_week,
       isodow(c.date) AS weekday,
       w.english AS weekday_en,
       w.dutch AS weekday_nl
FROM chosen c
LEFT JOIN {analytics.divisions} d ON d.division_code = c.division_code
LEFT JOIN {analytics.labels} m ON m.kind = 'month' AND m.code = month(c.date)
LEFT JOIN {analytics.labels} w ON w.kind = 'weekday' AND w.code = isodow(c.date)

// Package load turns spooled pages into rows of a DuckDB warehouse and gives the result to its
// readers. Begin with [Open], then [Warehouse.Apply] and [Warehouse.Publish].
//
// There are always two files. The working database, in the state directory, is the truth: it is
// written in transactions, guarded by a lock, and opened by nobody else. The published file is a
// copy that is replaced by a rename, and the Parquet lake a folder of files behind a link that
// is switched; so a reader holds either the old state or the new one, and never waits.
//
// What is known about the rows (cursors, deletions, history, changes of shape) lives in the same
// file, in the schema _exactduck, and is written by the transaction that writes the rows.
package load

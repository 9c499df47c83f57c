// Package analytics makes the ready views of a warehouse that holds books of Exact Online, in the
// schema analytics, and describes every table and column with COMMENT ON. Begin with [Layer].
//
// A view is a file in views/: its head says, in words for whoever queries it, what it shows, and
// then which tables and columns it needs or would like to have; a view is made as soon as what it
// needs is there. What the codes of Exact mean is in labels.txt, what the views' columns are in
// columns.txt, and what the tables and columns of Exact are in tables.txt.
//
// The views name schemas and never a database, so that they work under whatever name the published
// file is attached. They are views and not macros because macros do not.
package analytics

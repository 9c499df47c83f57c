// Package exactonline reads Exact Online: what there is to read, and how to read it.
//
// What there is, is data. The catalogue lists every documented endpoint with its properties
// ([Endpoints]); [Streams] groups those that can be pulled into streams, one table each, named as
// Exact's own documentation names them. How it is read is OData, spoken page by page by a
// [Source]. Begin with [New] and [Streams].
//
// No entity has code of its own. Three embedded files say all that is particular, and each
// explains itself in its head:
//
//   - catalogue.txt, generated from generate/endpoints.json: endpoints, keys, properties, types.
//   - curated.txt: which feeds mix headers and lines, which streams belong to the connection,
//     which are left out by wildcards, which hold personal data.
//   - amounts.txt: which of the floating-point columns are amounts of money.
//
// After a change of endpoints.json run: go generate ./extract/exactonline
package exactonline

// Package exactonline reads Exact Online: what there is to read, and how to read it.
//
// What there is, is data. The catalogue lists every documented endpoint with its properties
// ([Endpoints]); [Streams] groups those that can be pulled into streams, one table each, named as
// Exact's own documentation names them. How it is read is OData, spoken page by page by a
// [Source]. Begin with [New] and [Streams]. What no stream is until somebody says more about it is
// made one by [Call], a function with its parameters, and [Define], an endpoint that the catalogue
// lacks; then it is read like all others, for an endpoint travels with its variant ([EndpointOf]).
//
// A service that refuses to be asked in one way is asked in another, see heal.go. What was learnt of
// an endpoint so is told by [Source.Known], and told to the next process's source by [Source.Know].
//
// No entity has code of its own. Three embedded files say all that is particular, and each
// explains itself in its head:
//
//   - catalogue.txt, generated from generate/endpoints.json: endpoints, keys, properties, types.
//   - curated.txt: which feeds mix headers and lines, which streams are lines of which, which belong
//     to the connection, which are left out by wildcards, which hold personal data.
//   - amounts.txt: which of the floating-point columns are amounts of money.
//
// After a change of endpoints.json run: go generate ./extract/exactonline
package exactonline

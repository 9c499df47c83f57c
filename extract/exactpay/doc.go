// Package exactpay reads Exact Payments, the vendor's payments platform: accounts, customers,
// payments, orders. Begin with [New] and [Streams].
//
// What there is to read is data: catalogue.txt lists every list with its paths, columns and cursor,
// and how sure each of them is. No list has code of its own.
//
// Much of what is known of this API is known from one place only, and none of it was tried against
// the service. So nothing that the service is asked for is taken for granted: that it filters, that it
// sorts, that its pages follow each other and that its counts are right is seen from what comes. What
// it does not do is done here, at the price of more calls, and a warning says so. A read of everything
// that cannot be shown to be whole says that too ([schema.Page.Unproven]), so that no row is removed
// because of it.
//
// Three ways of reading a list:
//
//   - walk.go: in the order of a date, each request from the date of the last row on. Rows that appear
//     or vanish meanwhile shift nothing.
//   - crawl.go: by offset, each page beginning with the last rows of the one before; for what cannot be
//     walked.
//   - spans.go: crawls through spans of time, for rows without dates.
//
// Scopes are accounts: 24 hexadecimal digits. What belongs to the connection has the scope "0", and so
// has everything that is read for what the token itself stands for, where neither an organization nor
// an account is given.
package exactpay

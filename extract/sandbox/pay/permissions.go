package pay

// Permissions are those that a token can have, as far as reading and tokens are concerned. Users have
// all of them.
var Permissions = []string{
	"accounts.read", "accounts.read-balance", "application-tokens.create", "application-tokens.delete", "application-tokens.read",
	"applications.read", "chargebacks.read", "charges.create", "charges.read", "charges.update", "customers.create", "customers.read",
	"events.read", "onboardings.read", "organizations.read", "plans.read", "reports.create", "reports.read", "subscriptions.read",
	"users.read", "webhooks.read",
}

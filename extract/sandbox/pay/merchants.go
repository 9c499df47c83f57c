package pay

import "time"

func (a *account) ident() string   { return a.id }
func (a *account) born() time.Time { return a.created }

func (a *account) quick(string) (any, bool) { return nil, false }

func (a *account) shown() object {
	where := a.address.shown("country")
	where["countrySubdivision"] = where["state"]
	delete(where, "state")
	o := object{
		"_id": a.id, "id": a.id, "type": "account", "parentAccountId": a.parent, "name": a.name, "dbaName": a.name,
		"isLiveCapable": true, "isDisabled": a.isDisabled(), "liveCapableAt": a.created, "features": []any{}, "cascadingFeatures": []any{},
		"createdAt": a.created, "updatedAt": a.updated, "phone": a.phone, "email": a.email, "onlinePresence": a.site, "address": where,
		"defaultMerchantId": a.merchant, "defaultTerminalId": a.terminal, "defaultTerminalGatewayId": a.gateway, "ach": object{"customer": a.ach},
	}
	if a.isDisabled() {
		o["disabledAt"], o["disabledByUser"] = a.disabled, a.user.id
	}
	return o
}

func (a *account) isDisabled() bool { return !a.disabled.IsZero() }

func (a *account) rename(d dice, at time.Time) { a.name, a.updated = merchantName(d), at }
func (a *account) disable(at time.Time)        { a.disabled, a.updated = at, at }

// onboarding is the application of a merchant, or of somebody who did not become one.
type onboarding struct {
	id, account, organization, workflow string
	name, email, phone, number, mcc     string
	address                             address
	owner, birthday                     string
	status, secret                      string
	created, updated, approved          time.Time // approved: zero if it was not
	established                         time.Time
	employees                           int64
	version                             int64
}

// apply is the application that an account came by; of nobody's it is one that was declined.
func (w *world) apply(d dice, a *account) {
	last := w.accounts[len(w.accounts)-1]
	at := last.created.Add(-d.days(9))
	o := &onboarding{
		id: w.id(d, at), organization: w.organization, workflow: w.id(d, at), name: merchantName(d), email: "owner@post.example", phone: "555" + d.digits(7),
		number: d.digits(9), mcc: pick(d, codes).code, address: newAddress(d), owner: personName(d), birthday: "19" + d.digits(1) + "1-07-21T00:00:00.000+00:00",
		status: "Declined", secret: d.uuid(), created: at, updated: at.Add(d.days(2)), established: at.AddDate(-d.between(1, 20), 0, 0), employees: int64(d.between(1, 80)), version: 1,
	}
	if a != nil {
		o.account, o.name, o.email, o.phone, o.address = a.id, a.name, a.email, a.phone, a.address
		o.status, o.approved, o.updated = "Approved", a.created, a.created
	}
	w.applicants = append(w.applicants, o)
}

func (o *onboarding) ident() string   { return o.id }
func (o *onboarding) born() time.Time { return o.created }

func (o *onboarding) quick(property string) (any, bool) {
	switch property {
	case "createdAt":
		return o.created, true
	case "updatedAt":
		return o.updated, true
	}
	return nil, false
}

func (o *onboarding) shown() object {
	x := object{
		"_id": o.id, "type": "account", "status": o.status, "organization": o.organization, "workflow": o.workflow, "clientIp": "198.51.100.7",
		"createdAt": o.created, "updatedAt": o.updated, "statusUpdatedAt": o.updated, "secret": o.secret, "__v": o.version,
		"terminatedAt": nil, "closedAt": nil,
		"merchant": object{
			"name": o.name, "dbaName": o.name, "businessRegistrationNumber": o.number, "establishedDate": offset(o.established), "numberOfEmployees": o.employees,
			"telephone": o.phone, "email": o.email, "entityType": "LLC", "mcc": o.mcc, "address": o.address.shown("country"),
			"termsNConditions": object{"exactPayments": o.created, "dwolla": o.created},
		},
	}
	if o.account != "" {
		x["account"], x["approvedAt"] = o.account, o.approved
	} else {
		x["statusChangeReason"] = "failedToVerifyIdentity"
	}
	return x
}

// detailed is what an application alone shows, and a list of them does not: its owners.
func (o *onboarding) detailed() object {
	x := o.shown()
	x["merchant"].(object)["principal"] = []any{object{"firstName": o.owner, "dateOfBirth": o.birthday, "email": o.email}}
	return x
}

// code is a category of merchants.
type code struct{ code, description string }

var codes = []code{
	{"5045", "Computers, peripherals and software"},
	{"5192", "Books, periodicals and newspapers"},
	{"5251", "Hardware stores"},
	{"5462", "Bakeries"},
	{"5699", "Apparel and accessory stores"},
	{"5814", "Fast food"},
	{"5912", "Pharmacies"},
	{"5940", "Bicycle shops"},
	{"5992", "Florists"},
	{"7298", "Health and beauty"},
	{"8021", "Dentists"},
	{"8043", "Opticians"},
}

func (c code) ident() string            { return c.code }
func (c code) born() time.Time          { return time.Time{} }
func (c code) quick(string) (any, bool) { return nil, false }
func (c code) shown() object            { return object{"code": c.code, "description": c.description} }

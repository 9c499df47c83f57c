package sandbox

type vatCode struct {
	code, name string
	rate       num
}

var vatCodes = []vatCode{
	{"0  ", "BTW 0%", "0"},
	{"1  ", "BTW verlegd", "0"},
	{"2  ", "BTW laag, 9%", "0.09"},
	{"4  ", "BTW hoog, 21%", "0.21"},
	{"5  ", "BTW te vorderen, 21%", "0.21"},
}

// chartOfAccounts is a small Dutch chart: balance sheet 0xxx to 3xxx, result 4xxx to 9xxx. Types
// are those of Exact: 10 cash, 12 bank, 20 debtors, 22 creditors, 24 VAT, 30 fixed assets, 32
// other assets, 35 accumulated depreciation, 40 stock, 50 equity, 55 long debt, 60 current debt, 90
// general, 110 revenue, 111 cost of sales, 121 general costs, 122 depreciation, 125 employees, 140
// exceptional income, 160 interest.
var chartOfAccounts = []glAccount{
	{"0100", "Gebouwen", 30, "B", "D"},
	{"0110", "Afschrijving gebouwen", 35, "B", "C"},
	{"0200", "Inventaris", 30, "B", "D"},
	{"0210", "Afschrijving inventaris", 35, "B", "C"},
	{"0300", "Vervoermiddelen", 30, "B", "D"},
	{"0310", "Afschrijving vervoermiddelen", 35, "B", "C"},
	{"0400", "Waarborgsommen", 32, "B", "D"},
	{"0500", "Eigen vermogen", 50, "B", "C"},
	{"0510", "Agioreserve", 50, "B", "C"},
	{"0520", "Resultaat boekjaar", 50, "B", "C"},
	{"0700", "Lening bank", 55, "B", "C"},
	{"0710", "Rekening-courant directie", 55, "B", "C"},
	{"1000", "Kas", 10, "B", "D"},
	{"1100", "Bank", 12, "B", "D"},
	{"1110", "Spaarrekening", 12, "B", "D"},
	{"1290", "Kruisposten", 90, "B", "D"},
	{"1300", "Debiteuren", 20, "B", "D"},
	{"1310", "Voorziening debiteuren", 32, "B", "C"},
	{"1350", "Vooruitbetaalde kosten", 32, "B", "D"},
	{"1360", "Nog te ontvangen", 32, "B", "D"},
	{"1500", "Af te dragen BTW", 24, "B", "C"},
	{"1520", "BTW hoog te betalen", 24, "B", "C"},
	{"1530", "BTW te vorderen", 24, "B", "D"},
	{"1550", "Loonheffing", 60, "B", "C"},
	{"1560", "Nettolonen", 60, "B", "C"},
	{"1570", "Pensioenpremie", 60, "B", "C"},
	{"1600", "Crediteuren", 22, "B", "C"},
	{"1700", "Nog te betalen kosten", 60, "B", "C"},
	{"1710", "Vakantiegeld", 60, "B", "C"},
	{"2000", "Vraagposten", 90, "B", "D"},
	{"3000", "Voorraad handelsgoederen", 40, "B", "D"},
	{"3010", "Voorraad materialen", 40, "B", "D"},
	{"4000", "Brutolonen", 125, "W", "D"},
	{"4010", "Sociale lasten", 125, "W", "D"},
	{"4020", "Pensioenlasten", 125, "W", "D"},
	{"4030", "Reiskosten", 125, "W", "D"},
	{"4100", "Huur", 121, "W", "D"},
	{"4110", "Energie", 121, "W", "D"},
	{"4120", "Onderhoud gebouw", 121, "W", "D"},
	{"4200", "Kantoorbenodigdheden", 121, "W", "D"},
	{"4210", "Telefoon en internet", 121, "W", "D"},
	{"4220", "Software en licenties", 121, "W", "D"},
	{"4230", "Porti", 121, "W", "D"},
	{"4300", "Reclame", 121, "W", "D"},
	{"4310", "Representatie", 121, "W", "D"},
	{"4400", "Brandstof", 121, "W", "D"},
	{"4410", "Onderhoud auto's", 121, "W", "D"},
	{"4500", "Verzekeringen", 121, "W", "D"},
	{"4510", "Accountant", 121, "W", "D"},
	{"4520", "Bankkosten", 121, "W", "D"},
	{"4600", "Afschrijving inventaris", 122, "W", "D"},
	{"4610", "Afschrijving vervoermiddelen", 122, "W", "D"},
	{"7000", "Inkoop handelsgoederen", 111, "W", "D"},
	{"7010", "Inkoop materialen", 111, "W", "D"},
	{"7100", "Vracht", 111, "W", "D"},
	{"8000", "Omzet hoog tarief", 110, "W", "C"},
	{"8010", "Omzet laag tarief", 110, "W", "C"},
	{"8020", "Omzet diensten", 110, "W", "C"},
	{"8900", "Verleende kortingen", 110, "W", "D"},
	{"9000", "Rentelasten", 160, "W", "D"},
	{"9100", "Buitengewone baten", 140, "W", "C"},
}

// costAccounts are what purchases are booked on.
var costAccounts = []string{"7000", "7010", "4100", "4110", "4200", "4210", "4220", "4300", "4500", "4510"}

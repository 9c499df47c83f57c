package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"strconv"
)

// atom writes an answer as the feed that comes to those who do not ask for JSON.
func (a *answer) atom(root, path string) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	if name := a.view.endpoint.Name; a.worth != nil {
		fmt.Fprintf(&b, `<%[1]s xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices">%[2]s</%[1]s>`, name, escapeXML(atomText(a.worth)))
		return b.Bytes()
	}
	b.WriteString(`<feed xmlns="http://www.w3.org/2005/Atom" xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices"` +
		` xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">`)
	for _, r := range a.rows {
		a.atomEntry(&b, root+path, r)
	}
	if a.next != "" {
		b.WriteString(`<link rel="next" href="`)
		b.WriteString(escapeXML(root + path + "?" + a.next))
		b.WriteString(`"/>`)
	}
	b.WriteString("</feed>")
	return b.Bytes()
}

func (a *answer) atomEntry(b *bytes.Buffer, entity string, r *record) {
	b.WriteString("<entry><id>")
	b.WriteString(escapeXML(entity + "(" + a.view.address(r) + ")"))
	fmt.Fprintf(b, `</id><category term=%q/><content type="application/xml"><m:properties>`, a.view.typeName)
	for _, p := range a.props {
		if p.nested {
			continue
		}
		v := p.of(r)
		if v == nil {
			fmt.Fprintf(b, `<d:%s m:type="%s" m:null="true"/>`, p.name, p.edm)
			continue
		}
		fmt.Fprintf(b, `<d:%s m:type="%s">`, p.name, p.edm)
		b.WriteString(escapeXML(atomText(v)))
		fmt.Fprintf(b, `</d:%s>`, p.name)
	}
	b.WriteString("</m:properties></content></entry>")
}

func atomText(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case num:
		return string(v)
	case guid:
		return string(v)
	case stamp:
		return v.time().Format(wallLayout)
	case blob:
		return base64.StdEncoding.EncodeToString([]byte(v))
	case string:
		return v
	}
	return ""
}

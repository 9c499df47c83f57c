package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// Key encrypts login files. It is an age identity ("AGE-SECRET-KEY-1…") and no passphrase: a
// scheduled job reads it from where a machine can, so nobody has to remember it, and a key that
// is random throughout needs none of the slow stretching, a second each time, that a passphrase
// does. The tools of age read and write such files too.
type Key struct {
	identities []age.Identity
	recipient  age.Recipient
}

// ErrKey says that a text is no [Key].
var ErrKey = errors.New("not an age key, which begins with AGE-SECRET-KEY-1")

// NewKey makes a key, in the form that [ParseKey] reads.
func NewKey() (Secret, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	return Secret(identity.String()), nil
}

// ParseKey reads a key, alone or as age-keygen writes it, with lines of comment. Of several, the
// first encrypts and all decrypt, so that a key can be replaced: put the new one before the old
// one. The error is [ErrKey] and never quotes the text.
func ParseKey(text Secret) (*Key, error) {
	identities, err := age.ParseIdentities(strings.NewReader(string(text)))
	if err != nil {
		return nil, ErrKey
	}
	first, ok := identities[0].(*age.X25519Identity)
	if !ok {
		return nil, ErrKey
	}
	return &Key{identities, first.Recipient()}, nil
}

// Format prints nothing of the key, for every verb.
func (*Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// form is how the content of a login file lies on disk. It is all in which an encrypted file
// differs from a plain one.
type form interface {
	seal(content []byte) ([]byte, error)
	// open returns the content of a file. It also reads the other form, if it can, so that a login
	// survives a change of mind; own tells whether the file is in this one.
	open(raw []byte) (content []byte, own bool, err error)
}

var (
	errEncrypted = errors.New("encrypted, and there is no key")
	errWrongKey  = errors.New("encrypted with another key")
)

// plain is the form of a file that is only protected by its mode. key, which may be nil, opens a
// file that was encrypted before.
type plain struct{ key *Key }

func (plain) seal(content []byte) ([]byte, error) { return content, nil }

func (p plain) open(raw []byte) ([]byte, bool, error) {
	if !armored(raw) {
		return raw, true, nil
	}
	if p.key == nil {
		return nil, false, errEncrypted
	}
	content, err := decrypt(raw, p.key.identities...)
	return content, false, err
}

// encrypted is the form of a file that takes the key to read.
type encrypted struct{ key *Key }

func (e encrypted) seal(content []byte) ([]byte, error) { return encrypt(content, e.key.recipient) }

func (e encrypted) open(raw []byte) ([]byte, bool, error) {
	if !armored(raw) {
		return raw, false, nil
	}
	content, err := decrypt(raw, e.key.identities...)
	return content, true, err
}

func armored(raw []byte) bool { return bytes.HasPrefix(raw, []byte(armor.Header)) }

func encrypt(content []byte, to age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	text := armor.NewWriter(&out)
	w, err := age.Encrypt(text, to)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	_, err = w.Write(content)
	if err = errors.Join(err, w.Close(), text.Close()); err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return out.Bytes(), nil
}

// decrypt is the reverse of encrypt. The line ends with which a file may be padded do not matter.
func decrypt(raw []byte, with ...age.Identity) ([]byte, error) {
	raw = append(bytes.TrimRight(raw, "\r\n"), '\n')
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(raw)), with...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, errWrongKey
	}
	if err != nil {
		return nil, errors.New("not a whole encrypted file")
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, errors.New("not a whole encrypted file")
	}
	return content, nil
}

package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
)

// credentialNames are the parameters of a call that are not part of what is sent.
var credentialNames = []string{"access_token", "appsecret_proof", "appsecret_time"}

// member is one of a JSON object's.
type member struct {
	name  string
	value json.RawMessage
}

// membersOf takes an object apart, in its order; a name that stands twice in it is there twice. ok is false for anything else.
func membersOf(object json.RawMessage) (members []member, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, false
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, false
		}
		m := member{}
		m.name, _ = name.(string) // a key is one
		if dec.Decode(&m.value) != nil {
			return nil, false
		}
		members = append(members, m)
	}
	if _, err := dec.Token(); err != nil {
		return nil, false
	}
	_, err := dec.Token()
	return members, errors.Is(err, io.EOF)
}

// objectOf puts members together again.
func objectOf(members []member) json.RawMessage {
	object := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			object = append(object, ',')
		}
		name, _ := json.Marshal(m.name) // a string
		object = append(append(append(object, name...), ':'), m.value...)
	}
	return append(object, '}')
}

// memberOf returns a member of a JSON object, nil if it is not there.
func memberOf(object json.RawMessage, name string) json.RawMessage {
	members, _ := membersOf(object) // read before: it is one
	for _, m := range members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// quoteID makes a recipient's id that is a number the string that it should be: the platform's samples have {id:PSID}, and it
// takes both. It returns false where there is nothing to do.
// https://developers.facebook.com/docs/messenger-platform/get-started
func quoteID(recipient *json.RawMessage) bool {
	members, ok := membersOf(*recipient)
	i := slices.IndexFunc(members, func(m member) bool { return m.name == "id" })
	if !ok || i < 0 || strings.Trim(string(members[i].value), "0123456789") != "" {
		return false
	}
	members[i].value = json.RawMessage(`"` + string(members[i].value) + `"`)
	*recipient = objectOf(members)
	return true
}

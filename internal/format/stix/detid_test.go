package stix_test

import (
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

// Ids that the authors of the standard published for these properties.
var publishedIDs = []struct{ id, members string }{
	{"ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4", `"value":"198.51.100.3"`},
	{"ipv4-addr--1ea47840-aa39-5aa8-b4a2-cd203eb6662a", `"value":"198.51.100.0/24"`},
	{"ipv6-addr--85a85a8c-ee99-5722-946d-3c3a3270fc6f", `"value":"2001:0db8:85a3:0000:0000:8a2e:0370:7334"`},
	{"mac-addr--757b1725-9903-54f5-a855-1240691d7659", `"value":"d2:fb:49:24:37:18"`},
	{"domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7", `"value":"example.com"`},
	{"url--47c3cf9a-5027-5bf0-997a-017c7edc7c55", `"value":"https://example.com/research/index.html"`},
	{"mutex--f93fe911-e545-5239-b9b0-597840d0c871", `"name":"__CLEANSWEEP__"`},
	{"email-addr--7165e2a9-671f-585d-b1e1-ca59c671d934", `"display_name":"John Doe","value":"john@example.com"`},
	{"autonomous-system--3aa27478-50b5-5ab8-9da9-cdc12b657fff", `"number":15139,"name":"Slime Industries"`},
	{"directory--0a58d0c1-59e6-5afd-8252-dcd3f13e5622", `"path":"C:\\Windows\\System32"`},
	{"directory--0a58d0c1-59e6-5afd-8252-dcd3f13e5622", `"path":"\u0043:\u005cWindows\\System32"`},
	{"software--710b0b41-d4d0-5d6c-a400-fc9254554ffc", `"name":"Word","cpe":"cpe:2.3:a:microsoft:word:2000:*:*:*:*:*:*:*","version":"2002","vendor":"Microsoft"`},
	{"windows-registry-key--1884b770-b679-522a-a9c7-45fadaaec7bb", `"key":"HKEY_LOCAL_MACHINE\\System\\Foo\\Bar"`},
	{
		"windows-registry-key--f6a11ddf-fa2b-54c8-97ab-e7f28413095a",
		`"values":[{"name":"Foo","data_type":"REG_SZ","data":"qwerty"}, {"name":"Bar","data":"42","data_type":"REG_DWORD"}],"key":"hkey_local_machine\\system\\bar\\foo"`,
	},
	{
		"file--949eb97a-da1e-5292-8959-03c4249dc9f3",
		`"hashes":{"SHA-256":"fe90a7e910cb3a4739bed9180e807e93fa70c90f25a8915476f5e4bfbac681db"},"size":25536,"name":"foo.dll"`,
	},
	{
		"file--7d1e3a18-89e7-5bc5-be36-9879f5b7f5c8",
		`"name":"qu\u00eary.dll","hashes":{"SHA-256":"841a8921140aba50671ebb0770fecc4ee308c4952cfeff8de154ab14eeef4649"},"name_enc":"windows-1252"`,
	},
	{
		"file--ba04c974-3cef-5f42-adc7-084d467874e2",
		`"hashes":{"SHA-256":"35a01331e9ad96f751278b891b6ea09699806faedfa237d40513d92ad1b7100f"},"extensions":{"ntfs-ext":{"alternate_data_streams":[{"size":25536,"name":"second.stream"}]}}`,
	},
	{"user-account--f94d689e-707d-58c3-b803-c720bb6ed096", `"user_id":"1001","account_login":"jdoe","account_type":"unix","display_name":"John Doe"`},
	{"x509-certificate--bf86f034-2390-54d7-8426-d08433db3fbe", `"issuer":"C=ZA","serial_number":"36:f7:d4:32:f4:ab:70:ea:d3:ce:98:6e:ea:99:93:49:32:0a:b7:06"`},
}

func TestPublishedIDs(t *testing.T) {
	k := stix.NewChecker(stix.Options{})
	told := func(object string) (content, all bool) {
		r := k.Check([]byte(object))
		for _, w := range append(r.Problems, r.Warnings...) {
			content = content || w.Code == stix.RuleIDContent
		}
		return content, r.ProblemCount > 0
	}
	for _, c := range publishedIDs {
		typ, _, _ := strings.Cut(c.id, "--")
		object := `{"type":"` + typ + `","id":"` + c.id + `",` + c.members + `}`
		if content, bad := told(object); content || bad {
			t.Errorf("%s does not follow from %s: %v", c.id, c.members, k.Check([]byte(object)))
		}
		last := "0"
		if strings.HasSuffix(c.id, last) {
			last = "1"
		}
		other := strings.Replace(object, c.id, c.id[:len(c.id)-1]+last, 1)
		if content, _ := told(other); !content {
			t.Errorf("another id than %s is taken for %s", c.id, c.members)
		}
	}
}

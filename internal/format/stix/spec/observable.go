package spec

// observables are the types of chapter 6.
var observables = []source{
	{
		name: "artifact", section: "6.1", class: SCO, any: []string{"payload_bin", "url"}, exclude: []string{"payload_bin url"},
		needs: []string{"url hashes", "decryption_key encryption_algorithm"}, id: []string{"hashes payload_bin"}, props: `
		mime_type            string form=mime
		payload_bin          binary
		url                  string form=url
		hashes               hashes
		encryption_algorithm enum in=encryption-algorithm-enum
		decryption_key       string
	`,
	},
	{name: "autonomous-system", section: "6.2", class: SCO, id: []string{"number"}, props: `
		number integer required
		name   string
		rir    string
	`},
	{name: "directory", section: "6.3", class: SCO, needs: []string{"path_enc path"}, id: []string{"path"}, props: `
		path          string required
		path_enc      string form=charset
		ctime         timestamp
		mtime         timestamp
		atime         timestamp
		contains_refs identifier list to=file,directory
	`},
	{name: "domain-name", section: "6.4", class: SCO, id: []string{"value"}, props: `
		value            string required form=domain
		resolves_to_refs identifier list to=ipv4-addr,ipv6-addr,domain-name
	`},
	{name: "email-addr", section: "6.5", class: SCO, id: []string{"value"}, props: `
		value          string required form=email
		display_name   string form=decoded
		belongs_to_ref identifier to=user-account
	`},
	{name: "email-message", section: "6.6", class: SCO, id: []string{"from_ref subject body"}, props: `
		is_multipart             boolean required
		date                     timestamp
		content_type             string
		from_ref                 identifier to=email-addr
		sender_ref               identifier to=email-addr
		to_refs                  identifier list to=email-addr
		cc_refs                  identifier list to=email-addr
		bcc_refs                 identifier list to=email-addr
		message_id               string
		subject                  string form=decoded
		received_lines           string list
		additional_header_fields dictionary values=string valuelist soft
		body                     string
		body_multipart           embedded list of=email-mime-part-type
		raw_email_ref            identifier to=artifact
	`},
	{
		name: "file", section: "6.7", class: SCO, any: []string{"hashes", "name"}, needs: []string{"name_enc name"},
		extensions: []string{"archive-ext", "ntfs-ext", "pdf-ext", "raster-image-ext", "windows-pebinary-ext"},
		id:         []string{"hashes name extensions parent_directory_ref", "hashes name extensions"}, props: `
		hashes               hashes
		size                 integer min=0
		name                 string
		name_enc             string form=charset
		magic_number_hex     hex
		mime_type            string form=mime
		ctime                timestamp
		mtime                timestamp
		atime                timestamp
		parent_directory_ref identifier to=directory
		contains_refs        identifier list to=@sco,@custom soft
		content_ref          identifier to=artifact
	`,
	},
	{name: "ipv4-addr", section: "6.8", class: SCO, id: []string{"value"}, props: `
		value            string required form=ipv4
		resolves_to_refs identifier list to=mac-addr
		belongs_to_refs  identifier list to=autonomous-system
	`},
	{name: "ipv6-addr", section: "6.9", class: SCO, id: []string{"value"}, props: `
		value            string required form=ipv6
		resolves_to_refs identifier list to=mac-addr
		belongs_to_refs  identifier list to=autonomous-system
	`},
	{name: "mac-addr", section: "6.10", class: SCO, id: []string{"value"}, props: `
		value string required form=mac
	`},
	{name: "mutex", section: "6.11", class: SCO, id: []string{"name"}, props: `
		name string required
	`},
	{
		name: "network-traffic", section: "6.12", class: SCO, any: []string{"src_ref", "dst_ref"}, orders: []string{"start end"},
		extensions: []string{"http-request-ext", "icmp-ext", "socket-ext", "tcp-ext"},
		id: []string{
			"start end src_ref dst_ref src_port dst_port protocols extensions",
			"start src_ref dst_ref src_port dst_port protocols",
			"start end src_ref dst_ref src_port dst_port protocols",
		}, props: `
		start               timestamp
		end                 timestamp
		is_active           boolean
		src_ref             identifier to=ipv4-addr,ipv6-addr,mac-addr,domain-name
		dst_ref             identifier to=ipv4-addr,ipv6-addr,mac-addr,domain-name
		src_port            integer should min=0 max=65535
		dst_port            integer should min=0 max=65535
		protocols           string list required
		src_byte_count      integer min=0
		dst_byte_count      integer min=0
		src_packets         integer min=0
		dst_packets         integer min=0
		ipfix               dictionary values=integer,string
		src_payload_ref     identifier to=artifact
		dst_payload_ref     identifier to=artifact
		encapsulates_refs   identifier list to=network-traffic
		encapsulated_by_ref identifier to=network-traffic
	`,
	},
	{name: "process", section: "6.13", class: SCO, anyOwn: true, extensions: []string{"windows-process-ext", "windows-service-ext"}, props: `
		is_hidden              boolean
		pid                    integer
		created_time           timestamp
		cwd                    string
		command_line           string
		environment_variables  dictionary values=string
		opened_connection_refs identifier list to=network-traffic
		creator_user_ref       identifier to=user-account
		image_ref              identifier to=file
		parent_ref             identifier to=process
		child_refs             identifier list to=process
	`},
	{
		name: "software", section: "6.14", class: SCO, id: []string{"name cpe swid vendor version", "name cpe vendor version"}, props: `
		name      string required
		cpe       string form=cpe
		swid      string
		languages lang list
		vendor    string
		version   string
	`,
	},
	{name: "url", section: "6.15", class: SCO, id: []string{"value"}, props: `
		value string required form=url
	`},
	{
		name: "user-account", section: "6.16", class: SCO, anyOwn: true, extensions: []string{"unix-account-ext"},
		id: []string{"account_type user_id account_login"}, props: `
		user_id                 string
		credential              string
		account_login           string
		account_type            open in=account-type-ov
		display_name            string
		is_service_account      boolean
		is_privileged           boolean
		can_escalate_privs      boolean
		is_disabled             boolean
		account_created         timestamp
		account_expires         timestamp
		credential_last_changed timestamp
		account_first_login     timestamp
		account_last_login      timestamp
	`,
	},
	{name: "windows-registry-key", section: "6.17", class: SCO, anyOwn: true, id: []string{"key values"}, props: `
		key               string form=registry
		values            embedded list of=windows-registry-value-type
		modified_time     timestamp
		creator_user_ref  identifier to=user-account
		number_of_subkeys integer
	`},
	{name: "x509-certificate", section: "6.18", class: SCO, anyOwn: true, id: []string{"hashes serial_number"}, props: `
		is_self_signed               boolean
		hashes                       hashes
		version                      string
		serial_number                string
		signature_algorithm          string
		issuer                       string
		validity_not_before          timestamp
		validity_not_after           timestamp
		subject                      string
		subject_public_key_algorithm string
		subject_public_key_modulus   string
		subject_public_key_exponent  integer
		x509_v3_extensions           embedded of=x509-v3-extensions-type
	`},
}

package spec

// embeddedObjects are what stands inside objects: types of chapters 2 and 6 and
// the predefined extensions of chapter 6.
var embeddedObjects = []source{
	{name: "external-reference", section: "2.5", any: []string{"description", "url", "external_id"}, props: `
		source_name string required
		description string
		url         string form=url-should
		hashes      hashes
		external_id string
	`},
	{name: "kill-chain-phase", section: "2.11", props: `
		kill_chain_name string required form=phase
		phase_name      string required form=phase
	`},
	{name: "email-mime-part-type", section: "6.6.2", any: []string{"body", "body_raw_ref"}, props: `
		body                string
		body_raw_ref        identifier to=artifact,file
		content_type        string
		content_disposition string
	`},
	{name: "archive-ext", section: "6.7.2", props: `
		contains_refs identifier list required to=file,directory
		comment       string
	`},
	{name: "alternate-data-stream-type", section: "6.7.3", props: `
		name   string required
		hashes hashes
		size   integer min=0
	`},
	{name: "ntfs-ext", section: "6.7.3", anyOwn: true, props: `
		sid                    string
		alternate_data_streams embedded list of=alternate-data-stream-type
	`},
	{name: "pdf-ext", section: "6.7.4", anyOwn: true, props: `
		version            string
		is_optimized       boolean
		document_info_dict dictionary values=string
		pdfid0             string
		pdfid1             string
	`},
	{name: "raster-image-ext", section: "6.7.5", anyOwn: true, props: `
		image_height   integer
		image_width    integer
		bits_per_pixel integer
		exif_tags      dictionary values=integer,string
	`},
	{name: "windows-pe-optional-header-type", section: "6.7.6", anyOwn: true, props: `
		magic_hex                  hex
		major_linker_version       integer
		minor_linker_version       integer
		size_of_code               integer min=0
		size_of_initialized_data   integer min=0
		size_of_uninitialized_data integer min=0
		address_of_entry_point     integer
		base_of_code               integer
		base_of_data               integer
		image_base                 integer
		section_alignment          integer
		file_alignment             integer
		major_os_version           integer
		minor_os_version           integer
		major_image_version        integer
		minor_image_version        integer
		major_subsystem_version    integer
		minor_subsystem_version    integer
		win32_version_value_hex    hex
		size_of_image              integer min=0
		size_of_headers            integer min=0
		checksum_hex               hex
		subsystem_hex              hex
		dll_characteristics_hex    hex
		size_of_stack_reserve      integer min=0
		size_of_stack_commit       integer min=0
		size_of_heap_reserve       integer min=0
		size_of_heap_commit        integer min=0
		loader_flags_hex           hex
		number_of_rva_and_sizes    integer
		hashes                     hashes
	`},
	{name: "windows-pe-section-type", section: "6.7.6", props: `
		name    string required
		size    integer min=0
		entropy float
		hashes  hashes
	`},
	{name: "windows-pebinary-ext", section: "6.7.6", anyBut: "pe_type", props: `
		pe_type                     open required in=windows-pebinary-type-ov
		imphash                     string
		machine_hex                 hex
		number_of_sections          integer min=0
		time_date_stamp             timestamp form=second
		pointer_to_symbol_table_hex hex
		number_of_symbols           integer min=0
		size_of_optional_header     integer min=0
		characteristics_hex         hex
		file_header_hashes          hashes
		optional_header             embedded of=windows-pe-optional-header-type
		sections                    embedded list of=windows-pe-section-type
	`},
	{name: "http-request-ext", section: "6.12.2", props: `
		request_method        string required form=lower
		request_value         string required
		request_version       string form=lower
		request_header        dictionary values=string valuelist
		message_body_length   integer
		message_body_data_ref identifier to=artifact
	`},
	{name: "icmp-ext", section: "6.12.3", props: `
		icmp_type_hex hex required
		icmp_code_hex hex required
	`},
	{name: "socket-ext", section: "6.12.4", props: `
		address_family    enum required in=network-socket-address-family-enum
		is_blocking       boolean
		is_listening      boolean
		options           dictionary values=integer
		socket_type       enum in=network-socket-type-enum
		socket_descriptor integer min=0
		socket_handle     integer
	`},
	{name: "tcp-ext", section: "6.12.5", anyOwn: true, props: `
		src_flags_hex hex
		dst_flags_hex hex
	`},
	{name: "windows-process-ext", section: "6.13.2", anyOwn: true, props: `
		aslr_enabled    boolean
		dep_enabled     boolean
		priority        string form=priority
		owner_sid       string
		window_title    string
		windows_title   string
		startup_info    dictionary
		integrity_level enum in=windows-integrity-level-enum
	`},
	{name: "windows-service-ext", section: "6.13.3", anyOwn: true, props: `
		service_name     string
		descriptions     string list
		display_name     string
		group_name       string
		start_type       enum in=windows-service-start-type-enum
		service_dll_refs identifier list to=file
		service_type     enum in=windows-service-type-enum
		service_status   enum in=windows-service-status-enum
	`},
	{name: "unix-account-ext", section: "6.16.2", anyOwn: true, props: `
		gid      integer
		groups   string list
		home_dir string
		shell    string
	`},
	{name: "windows-registry-value-type", section: "6.17.2", anyOwn: true, props: `
		name      string
		data      string
		data_type enum in=windows-registry-datatype-enum
	`},
	{name: "x509-v3-extensions-type", section: "6.18.2", anyOwn: true, props: `
		basic_constraints                   string
		name_constraints                    string
		policy_constraints                  string
		key_usage                           string
		extended_key_usage                  string
		subject_key_identifier              string
		authority_key_identifier            string
		subject_alternative_name            string
		issuer_alternative_name             string
		subject_directory_attributes        string
		crl_distribution_points             string
		inhibit_any_policy                  string
		private_key_usage_period_not_before timestamp
		private_key_usage_period_not_after  timestamp
		certificate_policies                string
		policy_mappings                     string
	`},
	// The marking objects of §7.2.1 and the granular marking of §7.2.3.
	{name: "statement", section: "7.2.1.3", props: `
		statement string required
	`},
}

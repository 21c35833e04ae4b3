package spec

// domainObjects are the types of chapter 4.
var domainObjects = []source{
	{name: "attack-pattern", section: "4.1", class: SDO, props: `
		name              string required
		description       string
		aliases           string list
		kill_chain_phases embedded list of=kill-chain-phase
	`},
	{name: "campaign", section: "4.2", class: SDO, orders: []string{"first_seen last_seen"}, props: `
		name        string required
		description string
		aliases     string list
		first_seen  timestamp
		last_seen   timestamp
		objective   string
	`},
	{name: "course-of-action", section: "4.3", class: SDO, props: `
		name        string required
		description string
		action      reserved
	`},
	{name: "grouping", section: "4.4", class: SDO, props: `
		name        string
		description string
		context     open required in=grouping-context-ov
		object_refs identifier list required to=@any
	`},
	{name: "identity", section: "4.5", class: SDO, props: `
		name                string required
		description         string
		roles               string list
		identity_class      open in=identity-class-ov
		sectors             open list in=industry-sector-ov
		contact_information string
	`},
	{name: "incident", section: "4.6", class: SDO, props: `
		name        string required
		description string
	`},
	{name: "indicator", section: "4.7", class: SDO, orders: []string{"valid_from < valid_until"}, props: `
		name              string should
		description       string should
		indicator_types   open list in=indicator-type-ov
		pattern           string required
		pattern_type      open required in=pattern-type-ov
		pattern_version   string
		valid_from        timestamp required
		valid_until       timestamp
		kill_chain_phases embedded list of=kill-chain-phase
	`},
	{name: "infrastructure", section: "4.8", class: SDO, orders: []string{"first_seen last_seen"}, props: `
		name                 string required
		description          string
		infrastructure_types open list in=infrastructure-type-ov
		aliases              string list
		kill_chain_phases    embedded list of=kill-chain-phase
		first_seen           timestamp
		last_seen            timestamp
	`},
	{name: "intrusion-set", section: "4.9", class: SDO, orders: []string{"first_seen last_seen"}, props: `
		name                  string required
		description           string
		aliases               string list
		first_seen            timestamp
		last_seen             timestamp
		goals                 string list
		resource_level        open in=attack-resource-level-ov
		primary_motivation    open in=attack-motivation-ov
		secondary_motivations open list in=attack-motivation-ov
	`},
	{
		name: "location", section: "4.10", class: SDO, any: []string{"region", "country", "latitude longitude"},
		needs: []string{"latitude longitude", "longitude latitude", "precision latitude", "precision longitude"}, props: `
		name                string
		description         string
		latitude            float min=-90 max=90
		longitude           float min=-180 max=180
		precision           float
		region              open in=region-ov
		country             string form=country
		administrative_area string form=area
		city                string
		street_address      string
		postal_code         string
	`,
	},
	{name: "malware", section: "4.11", class: SDO, orders: []string{"first_seen last_seen"}, props: `
		name                        string
		description                 string
		malware_types               open list in=malware-type-ov
		is_family                   boolean required
		aliases                     string list
		kill_chain_phases           embedded list of=kill-chain-phase
		first_seen                  timestamp
		last_seen                   timestamp
		operating_system_refs       identifier list to=software
		architecture_execution_envs open list in=processor-architecture-ov
		implementation_languages    open list in=implementation-language-ov
		capabilities                open list in=malware-capabilities-ov
		sample_refs                 identifier list to=file,artifact
	`},
	{name: "malware-analysis", section: "4.12", class: SDO, any: []string{"result", "analysis_sco_refs"}, props: `
		product                     string required form=product
		version                     string
		host_vm_ref                 identifier to=software
		operating_system_ref        identifier to=software
		installed_software_refs     identifier list to=software
		configuration_version       string
		modules                     string list
		analysis_engine_version     string
		analysis_definition_version string
		submitted                   timestamp
		analysis_started            timestamp
		analysis_ended              timestamp
		result_name                 string
		result                      open in=malware-result-ov
		analysis_sco_refs           identifier list to=@sco,@custom soft
		sample_ref                  identifier to=file,network-traffic,artifact soft
	`},
	{name: "note", section: "4.13", class: SDO, props: `
		abstract    string
		content     string required
		authors     string list
		object_refs identifier list required to=@any
	`},
	{
		name: "observed-data", section: "4.14", class: SDO, any: []string{"object_refs", "objects"}, exclude: []string{"objects object_refs"},
		orders: []string{"first_observed last_observed"}, props: `
		first_observed  timestamp required
		last_observed   timestamp required
		number_observed integer required min=1 max=999999999
		objects         container deprecated
		object_refs     identifier list to=@sco,@sro,@custom soft
	`,
	},
	{name: "opinion", section: "4.15", class: SDO, props: `
		explanation string
		authors     string list
		opinion     enum required in=opinion-enum
		object_refs identifier list required to=@any
	`},
	{name: "report", section: "4.16", class: SDO, props: `
		name         string required
		description  string
		report_types open list in=report-type-ov
		published    timestamp required
		object_refs  identifier list required to=@any
	`},
	{name: "threat-actor", section: "4.17", class: SDO, orders: []string{"first_seen last_seen"}, props: `
		name                  string required
		description           string
		threat_actor_types    open list in=threat-actor-type-ov
		aliases               string list
		first_seen            timestamp
		last_seen             timestamp
		roles                 open list in=threat-actor-role-ov
		goals                 string list
		sophistication        open in=threat-actor-sophistication-ov
		resource_level        open in=attack-resource-level-ov
		primary_motivation    open in=attack-motivation-ov
		secondary_motivations open list in=attack-motivation-ov
		personal_motivations  open list in=attack-motivation-ov
	`},
	{name: "tool", section: "4.18", class: SDO, props: `
		name              string required
		description       string
		tool_types        open list in=tool-type-ov
		aliases           string list
		kill_chain_phases embedded list of=kill-chain-phase
		tool_version      string
	`},
	{name: "vulnerability", section: "4.19", class: SDO, props: `
		name        string required
		description string
	`},
}

// relationshipObjects are the types of chapter 5.
var relationshipObjects = []source{
	{name: "relationship", section: "5.1", class: SRO, orders: []string{"start_time < stop_time"}, props: `
		relationship_type string required form=relation
		description       string
		source_ref        identifier required to=@sdo,@sco,@custom
		target_ref        identifier required to=@sdo,@sco,@custom
		start_time        timestamp
		stop_time         timestamp
	`},
	{name: "sighting", section: "5.2", class: SRO, orders: []string{"first_seen last_seen"}, props: `
		description        string
		first_seen         timestamp
		last_seen          timestamp
		count              integer min=0 max=999999999
		sighting_of_ref    identifier required to=@sdo,@custom
		observed_data_refs identifier list to=observed-data
		where_sighted_refs identifier list to=identity,location
		summary            boolean
	`},
}

// metaObjects are the types of chapter 7.
var metaObjects = []source{
	{name: "language-content", section: "7.1", class: Meta, requires: "modified", props: `
		object_ref      identifier required to=@any
		object_modified timestamp
		contents        contents required
	`},
	{
		name: "marking-definition", section: "7.2.1", class: Meta, unused: "modified revoked labels confidence",
		any:   []string{"definition definition_type", "extensions"},
		needs: []string{"definition definition_type", "definition_type definition"}, props: `
		name            string
		definition_type string
		definition      any
	`,
	},
	{name: "extension-definition", section: "7.3", class: Meta, requires: "created_by_ref modified", unused: "confidence extensions", props: `
		name                 string required
		description          string should
		schema               string required
		version              string required
		extension_types      enum list required in=extension-type-enum
		extension_properties string list form=property
	`},
}

package spec

import "strings"

// vocabularies are those of chapter 10: closed ones end in -enum, of open ones
// other values are allowed and SHOULD not be used.
var vocabularies = func() map[string]*Vocab {
	m := make(map[string]*Vocab)
	for _, v := range []struct{ section, name, terms string }{
		{"10.1", "account-type-ov", "facebook ldap nis openid radius skype tacacs twitter unix windows-local windows-domain"},
		{"10.2", "attack-motivation-ov", `accidental coercion dominance ideology notoriety organizational-gain personal-gain personal-satisfaction
			revenge unpredictable`},
		{"10.3", "attack-resource-level-ov", "individual club contest team organization government"},
		{"10.4", "encryption-algorithm-enum", "AES-256-GCM ChaCha20-Poly1305 mime-type-indicated"},
		{"10.5", "extension-type-enum", "new-sdo new-sco new-sro property-extension toplevel-property-extension"},
		{"10.6", "grouping-context-ov", "suspicious-activity malware-analysis unspecified"},
		{"10.7", "hash-algorithm-ov", "MD5 SHA-1 SHA-256 SHA-512 SHA3-256 SHA3-512 SSDEEP TLSH"},
		{"10.8", "identity-class-ov", "individual group system organization class unknown"},
		{"10.9", "implementation-language-ov", `applescript bash c c++ c# go java javascript lua objective-c perl php powershell python ruby scala
			swift typescript visual-basic x86-32 x86-64`},
		{"10.10", "indicator-type-ov", "anomalous-activity anonymization benign compromised malicious-activity attribution unknown"},
		{"10.11", "industry-sector-ov", `agriculture aerospace automotive chemical commercial communications construction defense education energy
			entertainment financial-services government emergency-services government-national government-regional government-local
			government-public-services healthcare hospitality-leisure infrastructure dams nuclear water insurance manufacturing mining non-profit
			pharmaceuticals retail technology telecommunications transportation utilities`},
		{"10.12", "infrastructure-type-ov", `amplification anonymization botnet command-and-control control-system exfiltration firewall
			hosting-malware hosting-target-lists phishing reconnaissance routers-switches staging workstation unknown`},
		{"10.13", "malware-result-ov", "malicious suspicious benign unknown"},
		{"10.14", "malware-capabilities-ov", `accesses-remote-machines anti-debugging anti-disassembly anti-emulation anti-memory-forensics
			anti-sandbox anti-vm captures-input-peripherals captures-output-peripherals captures-system-state-data cleans-traces-of-infection
			commits-fraud communicates-with-c2 compromises-data-availability compromises-data-integrity compromises-system-availability
			controls-local-machine degrades-security-software degrades-system-updates determines-c2-server emails-spam escalates-privileges
			evades-av exfiltrates-data fingerprints-host hides-artifacts hides-executing-code infects-files infects-remote-machines
			installs-other-components persists-after-system-reboot prevents-artifact-access prevents-artifact-deletion
			probes-network-environment self-modifies steals-authentication-credentials violates-system-operational-integrity`},
		{"10.15", "malware-type-ov", `adware backdoor bot bootkit ddos downloader dropper exploit-kit keylogger ransomware remote-access-trojan
			resource-exploitation rogue-security-software rootkit screen-capture spyware trojan unknown virus webshell wiper worm`},
		{"10.16", "network-socket-address-family-enum", "AF_UNSPEC AF_INET AF_IPX AF_APPLETALK AF_NETBIOS AF_INET6 AF_IRDA AF_BTH"},
		{"10.17", "network-socket-type-enum", "SOCK_STREAM SOCK_DGRAM SOCK_RAW SOCK_RDM SOCK_SEQPACKET"},
		{"10.18", "opinion-enum", "strongly-disagree disagree neutral agree strongly-agree"},
		{"10.19", "pattern-type-ov", "stix pcre sigma snort suricata yara"},
		{"10.20", "processor-architecture-ov", "alpha arm ia-64 mips powerpc sparc x86 x86-64"},
		{"10.21", "region-ov", `africa eastern-africa middle-africa northern-africa southern-africa western-africa americas
			latin-america-caribbean south-america caribbean central-america northern-america asia central-asia eastern-asia southern-asia
			south-eastern-asia western-asia europe eastern-europe northern-europe southern-europe western-europe oceania antarctica
			australia-new-zealand melanesia micronesia polynesia`},
		{"10.22", "report-type-ov", `attack-pattern campaign identity incident indicator intrusion-set malware observed-data threat-actor
			threat-report tool vulnerability`},
		{"10.23", "threat-actor-type-ov", `activist competitor crime-syndicate criminal hacker insider-accidental insider-disgruntled nation-state
			private-sector sensationalist spy terrorist unknown`},
		{"10.24", "threat-actor-role-ov", "agent director independent infrastructure-architect infrastructure-operator malware-author sponsor"},
		{"10.25", "threat-actor-sophistication-ov", "none minimal intermediate advanced expert innovator strategic"},
		{"10.26", "tool-type-ov", `denial-of-service exploitation information-gathering network-capture credential-exploitation remote-access
			vulnerability-scanning unknown`},
		{"10.27", "windows-integrity-level-enum", "low medium high system"},
		{"10.28", "windows-pebinary-type-ov", "dll exe sys"},
		{"10.29", "windows-registry-datatype-enum", `REG_NONE REG_SZ REG_EXPAND_SZ REG_BINARY REG_DWORD REG_DWORD_BIG_ENDIAN
			REG_DWORD_LITTLE_ENDIAN REG_LINK REG_MULTI_SZ REG_RESOURCE_LIST REG_FULL_RESOURCE_DESCRIPTION REG_RESOURCE_REQUIREMENTS_LIST
			REG_QWORD REG_INVALID_TYPE`},
		{"10.30", "windows-service-start-type-enum", `SERVICE_AUTO_START SERVICE_BOOT_START SERVICE_DEMAND_START SERVICE_DISABLED
			SERVICE_SYSTEM_ALERT`},
		{"10.31", "windows-service-type-enum", `SERVICE_KERNEL_DRIVER SERVICE_FILE_SYSTEM_DRIVER SERVICE_WIN32_OWN_PROCESS
			SERVICE_WIN32_SHARE_PROCESS`},
		{"10.32", "windows-service-status-enum", `SERVICE_CONTINUE_PENDING SERVICE_PAUSE_PENDING SERVICE_PAUSED SERVICE_RUNNING
			SERVICE_START_PENDING SERVICE_STOP_PENDING SERVICE_STOPPED`},
	} {
		w := &Vocab{Name: v.name, Section: "§" + v.section, Closed: strings.HasSuffix(v.name, "-enum"), terms: make(map[string]struct{})}
		for _, t := range strings.Fields(v.terms) {
			w.terms[t] = struct{}{}
		}
		m[v.name] = w
	}
	return m
}()

// HashAlgorithms and ExtensionTypes are vocabularies that no single property
// of a table carries.
var (
	HashAlgorithms = vocabularies["hash-algorithm-ov"]
	ExtensionTypes = vocabularies["extension-type-enum"]
)

// Countries are the codes of ISO 3166-1 alpha-2, in lower case.
var Countries = func() map[string]bool {
	m := make(map[string]bool)
	for _, c := range strings.Fields(`
		ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs bt bv bw by bz ca cc cd cf cg ch ci ck cl
		cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg eh er es et fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu
		gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc
		md me mf mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt
		pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua
		ug um us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw`) {
		m[c] = true
	}
	return m
}()

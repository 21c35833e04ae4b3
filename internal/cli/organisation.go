package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"
)

var organisationColumns = columns("id", "name", "kind", "jurisdictions", "products", "customers", "state", "revision")

func (a *app) organisationCommands() *cobra.Command {
	cmd := noun("org", "Organisations that take part",
		a.orgAdd(), a.orgChange(), a.orgAct("suspend"), a.orgAct("resume"),
		&cobra.Command{
			Use: "list", Short: "List organisations", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.list(cmd.Context(), "/organisations", nil, organisationColumns)
			},
		},
		&cobra.Command{
			Use: "show ORGANISATION", Short: "Show an organisation", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				res, err := a.get(cmd.Context(), "/organisations/"+seg(args[0]), nil)
				if err != nil {
					return err
				}
				return a.showOrganisation(res.Body)
			},
		})
	cmd.Aliases = []string{"organisation"}
	return cmd
}

func (a *app) showOrganisation(body []byte) error {
	return a.show(body, view{fields: []string{
		"id", "name", "kind", "hats", "sectors", "jurisdictions", "regions", "products", "customers", "client_of",
		"state", "suspended_at", "suspend_reason", "created_at", "revision",
	}})
}

// attributes are the flags of an organisation.
type attributes struct {
	Name          string   `json:"name"`
	Kind          string   `json:"kind,omitempty"`
	Hats          []string `json:"hats,omitempty"`
	Sectors       []string `json:"sectors,omitempty"`
	Jurisdictions []string `json:"jurisdictions,omitempty"`
	Regions       []string `json:"regions,omitempty"`
	Products      []string `json:"products,omitempty"`
	Customers     int64    `json:"customers,omitempty"`
	ClientOf      string   `json:"client_of,omitempty"`
}

func (o *attributes) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.Name, "name", "", "name")
	f.StringVar(&o.Kind, "kind", "", "kind of actor, such as security-vendor, operator, cert")
	f.StringSliceVar(&o.Hats, "hat", nil, "roles in the world, such as csirt (may be given again)")
	f.StringSliceVar(&o.Sectors, "sector", nil, "sectors")
	f.StringSliceVar(&o.Jurisdictions, "jurisdiction", nil, "ISO 3166-1 alpha-2")
	f.StringSliceVar(&o.Regions, "region", nil, "regions")
	f.StringSliceVar(&o.Products, "product", nil, "what it can protect with")
	f.Int64Var(&o.Customers, "customers", 0, "weight in coverage measures")
	f.StringVar(&o.ClientOf, "client-of", "", "the member that serves it")
}

func (a *app) orgAdd() *cobra.Command {
	var o attributes
	var file string
	cmd := &cobra.Command{
		Use: "add [ORGANISATION | -f FILE]", Short: "Add an organisation, or all that a file lists", Args: cobra.MaximumNArgs(1),
		Long: "Add an organisation by flags, or all that a file lists: TOML with one [[organisation]] each,\nor JSON with one object or a list; the names are those of the API.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if (file == "") == (len(args) == 0) {
				return usage("give an identifier and flags, or a file with -f")
			}
			bodies := []any{}
			if file != "" {
				text, err := a.read(file)
				if err != nil {
					return err
				}
				if bodies, err = organisationsOf(text); err != nil {
					return err
				}
			} else {
				bodies = append(bodies, struct {
					ID string `json:"id"`
					attributes
				}{args[0], o})
			}
			items := []map[string]any{}
			for _, body := range bodies {
				res, err := a.post(cmd.Context(), "/organisations", body)
				if err != nil {
					return err
				}
				m, err := decode(res.Body)
				if err != nil {
					return err
				}
				items = append(items, m)
			}
			return a.table(items, organisationColumns)
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "TOML or JSON; - reads stdin")
	return cmd
}

func organisationsOf(text []byte) ([]any, error) {
	var v any
	if json.Unmarshal(text, &v) == nil {
		if list, ok := v.([]any); ok {
			return list, nil
		}
		return []any{v}, nil
	}
	var doc struct {
		Organisation []any `toml:"organisation"`
	}
	if err := toml.Unmarshal(text, &doc); err != nil {
		return nil, usage("the file is neither JSON nor TOML: %s", err)
	}
	if len(doc.Organisation) == 0 {
		return nil, usage("the file lists no [[organisation]]")
	}
	return doc.Organisation, nil
}

func (a *app) orgChange() *cobra.Command {
	var o attributes
	cmd := &cobra.Command{
		Use: "change ORGANISATION", Short: "Change attributes; what is not given stays", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/organisations/" + seg(args[0])
			now, err := a.get(cmd.Context(), path, nil)
			if err != nil {
				return err
			}
			var next attributes
			if err := json.Unmarshal(now.Body, &next); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			set := map[string]func(){
				"name": func() { next.Name = o.Name }, "kind": func() { next.Kind = o.Kind },
				"hat": func() { next.Hats = o.Hats }, "sector": func() { next.Sectors = o.Sectors },
				"jurisdiction": func() { next.Jurisdictions = o.Jurisdictions }, "region": func() { next.Regions = o.Regions },
				"product": func() { next.Products = o.Products }, "customers": func() { next.Customers = o.Customers },
				"client-of": func() { next.ClientOf = o.ClientOf },
			}
			changed := false
			for name, apply := range set {
				if cmd.Flags().Changed(name) {
					apply()
					changed = true
				}
			}
			if !changed {
				return usage(nothingGiven)
			}
			res, err := a.call(cmd.Context(), http.MethodPut, path, nil, next, "If-Match", now.ETag())
			if err != nil {
				return err
			}
			return a.showOrganisation(res.Body)
		},
	}
	o.flags(cmd)
	return cmd
}

// orgAct is suspend or resume.
func (a *app) orgAct(verb string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: verb + " ORGANISATION", Short: "Cut off an organisation in every channel", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var body any
			if verb == "suspend" {
				if err := a.confirm("This cuts off "+args[0]+" in every program", args[0]); err != nil {
					return err
				}
				body = map[string]any{"reason": reason}
			}
			res, err := a.post(cmd.Context(), "/organisations/"+seg(args[0])+"/"+verb, body)
			if err != nil {
				return err
			}
			return a.showOrganisation(res.Body)
		},
	}
	if verb == "resume" {
		cmd.Short = "End an organisation's suspension"
		return cmd
	}
	reasonFlag(cmd, &reason)
	return cmd
}

// reasonFlag adds --reason, which is recorded and therefore required.
func reasonFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "reason", "", "why; it is recorded")
	_ = cmd.MarkFlagRequired("reason")
}

func (a *app) jurisdictionCommands() *cobra.Command {
	var compelled bool
	var within, source, from string
	cols := columns("code", "compelled", "within", "source", "valid_from")
	set := &cobra.Command{
		Use: "set CODE --source TEXT", Short: "Set one line of the register", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := moments(time.Now(), &from); err != nil {
				return err
			}
			body := map[string]any{"compelled": compelled, "source": source}
			if within != "" {
				body["within"] = within
			}
			if from != "" {
				body["valid_from"] = from
			}
			res, err := a.call(cmd.Context(), http.MethodPut, "/jurisdictions/"+seg(strings.ToUpper(args[0])), nil, body)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{id: "code", fields: []string{"code", "compelled", "within", "source", "valid_from"}})
		},
	}
	f := set.Flags()
	f.BoolVar(&compelled, "compelled", false, "firms there must report vulnerabilities to the state")
	f.StringVar(&within, "within", "", "the period, as the source says")
	f.StringVar(&source, "source", "", "the instrument of law")
	f.StringVar(&from, "from", "", "in force from")
	_ = set.MarkFlagRequired("source")
	return noun("jurisdiction", "The register of compelled-disclosure duties", set, &cobra.Command{
		Use: "list", Short: "List the register", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.list(cmd.Context(), "/jurisdictions", nil, cols)
		},
	})
}

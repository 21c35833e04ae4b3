package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// ready makes the sign-in links and gathers the accounts.
func (t *story) ready(ctx context.Context) (Ready, error) {
	var list []Account
	for _, p := range staff {
		list = append(list, Account{Name: p.account, Role: string(p.role)})
	}
	for _, a := range accounts {
		list = append(list, Account{Name: a.account, Role: "member", Organisation: exchange.OrgID(a.org), Note: a.note})
	}
	for i := range list {
		a := &list[i]
		p := t.staff[a.Name]
		for _, m := range t.cast {
			if a.Role == "member" && m.person.Org == a.Organisation {
				p = m
			}
		}
		a.Organisation, a.Cohort = p.person.Org, p.cohort.Cohort
		a.User, a.Password, a.Token = p.person.Login, p.secret, p.secret
		code, err := t.s.Exchange.Members.IssueLink(ctx, exchange.System(), p.person.ID, true, tokenLife)
		if err != nil {
			return Ready{}, fmt.Errorf("making a sign-in link: %w", err)
		}
		a.SignIn = t.s.Exchange.SignInURL(code)
	}
	return complete(ctx, t.s, list)
}

// complete adds what follows from the accounts.
func complete(ctx context.Context, s *server.Server, list []Account) (Ready, error) {
	r := Ready{URL: s.Exchange.URL, TAXII: s.APIRoot(), Program: Program, Accounts: list}
	var err error
	r.Collections, err = collections(ctx, s, list)
	r.Member = r.rights()
	return r, err
}

// fileName is where a data folder keeps the demonstration's accounts. Only
// hashes of their secrets are in the exchange itself.
const fileName = "demo.json"

// Save keeps the accounts in the data folder, for this user alone.
func Save(data string, r Ready) error { return WriteJSON(filepath.Join(data, fileName), r) }

// In reports whether the data folder holds a demonstration that was written to
// its end.
func In(data string) bool {
	_, err := os.Stat(filepath.Join(data, fileName))
	return err == nil
}

// Load reads what Save kept, for the address that the exchange has now.
func Load(ctx context.Context, s *server.Server, data string) (r Ready, err error) {
	b, err := os.ReadFile(filepath.Join(data, fileName))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return Ready{}, fmt.Errorf("reading the accounts of the demonstration: %w", err)
	}
	for i := range r.Accounts {
		if rest, found := strings.CutPrefix(r.Accounts[i].SignIn, r.URL); found {
			r.Accounts[i].SignIn = s.Exchange.URL + rest
		}
	}
	r, err = complete(ctx, s, r.Accounts)
	if err == nil && len(r.Collections) == 0 {
		err = fmt.Errorf("%s has the accounts of a demonstration, and not its program", data)
	}
	return r, err
}

// WriteJSON puts a file for this user alone in place at once: whoever waits for
// it never reads half of it.
func WriteJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}

package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// APIRoot is where TAXII's API root stands on an exchange with this address.
func APIRoot(url string) string { return url + "/taxii2/api/" }

// SignIn is a sign-in link with this code on an exchange with this address.
func SignIn(url, code string) string { return url + "/sign-in?code=" + code }

// ready makes the sign-in links and gathers the accounts.
func (t *story) ready(ctx context.Context) (Ready, error) {
	var list []Account
	for _, p := range staff {
		list = append(list, Account{Name: p.account, Role: string(p.role)})
	}
	for _, a := range accounts {
		list = append(list, Account{Name: a.account, Role: "member", Organisation: exchange.OrgID(a.org), Note: a.note})
	}
	var links agenda
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
		links.add(t.d.now, "making a sign-in link", func(ctx context.Context, x *core.Exchange) error {
			code, err := x.Members.IssueLink(ctx, exchange.System(), p.person.ID, true, tokenLife)
			a.SignIn = SignIn(t.s.Exchange.URL, code)
			return err
		})
	}
	if err := inOne(ctx, t.s, links); err != nil {
		return Ready{}, err
	}
	return complete(ctx, t.s, list)
}

// complete adds what follows from the accounts.
func complete(ctx context.Context, s *server.Server, list []Account) (Ready, error) {
	r := Ready{URL: s.Exchange.URL, TAXII: APIRoot(s.Exchange.URL), Program: Program, Accounts: list}
	var err error
	r.Collections, err = collections(ctx, s, list)
	return r, err
}

// fileName is where a data folder keeps the demonstration's accounts. Only
// hashes of their secrets are in the exchange itself.
const fileName = "demo.json"

// Save keeps the accounts in the data folder, for this user alone.
func Save(data string, r Ready) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("keeping the accounts: %w", err)
	}
	return WriteFile(filepath.Join(data, fileName), append(b, '\n'))
}

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

// WriteFile puts a file for this user alone in place at once: whoever waits for
// it never reads half of it.
func WriteFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}

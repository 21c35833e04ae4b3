package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver
)

const (
	folderPrefix = "forewarn-pg-"
	startWithin  = time.Minute
)

// server is the PostgreSQL of this test process. It listens on a socket in its
// own folder only, so it needs no free port.
var server struct {
	once   sync.Once
	err    error
	folder string
	pid    int
	ended  chan struct{}
	names  atomic.Int64
}

var errNotInstalled = errors.New("PostgreSQL is not installed (looked in PATH and /usr/lib/postgresql/*/bin)")

func postgresURL(t testing.TB) string {
	t.Helper()
	server.once.Do(func() { server.err = startServer() })
	if err := server.err; err != nil {
		if errors.Is(err, errNotInstalled) && os.Getenv("CI") != "true" {
			t.Skipf("skipped: %s on PostgreSQL: %v", t.Name(), err)
		}
		t.Fatalf("starting PostgreSQL: %v", err)
	}
	name := fmt.Sprintf("test_%d", server.names.Add(1))
	admin(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { admin(t, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return address(name)
}

func admin(t testing.TB, stmt string) {
	t.Helper()
	db, err := sql.Open("pgx", address("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(context.Background(), stmt); err != nil {
		t.Error(err)
	}
}

func address(database string) string {
	return "postgres:///" + database + "?" + url.Values{
		"host": {server.folder}, "port": {"5432"}, "user": {"forewarn"}, "sslmode": {"disable"},
	}.Encode()
}

// binaries is the folder of the newest PostgreSQL.
func binaries() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	newest, version := "", -1
	for _, path := range found {
		v, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		if err == nil && v > version {
			newest, version = filepath.Dir(path), v
		}
	}
	if newest == "" {
		return "", errNotInstalled
	}
	return newest, nil
}

// credential is the user the server runs as: PostgreSQL refuses root, so under
// root it is the user that Debian's package makes.
func credential() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL cannot run as root: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}

func startServer() error {
	bin, err := binaries()
	if err != nil {
		return err
	}
	as, err := credential()
	if err != nil {
		return err
	}
	removeOrphans()
	// Not t.TempDir(): the path of a socket is limited to about 100 bytes.
	folder, err := os.MkdirTemp("", folderPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return err
	}
	if as != nil {
		if err := os.Chown(folder, int(as.Uid), int(as.Gid)); err != nil {
			return err
		}
	}
	server.folder = folder
	data := filepath.Join(folder, "data")
	// The language sorts otherwise than by bytes, as that of many real servers:
	// a statement that relies on the order of bytes must say so.
	create := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "forewarn", "-E", "UTF8",
		"--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US",
		"--auth=trust", "--no-sync", "--no-instructions")
	create.Dir = folder
	create.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	if out, err := create.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	run := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", folder, "-h", "",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB")
	run.Dir = folder
	run.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGQUIT}
	return launch(run)
}

// launch starts the server and waits until it answers. The server gets a
// signal when the thread that started it ends, so that thread is kept for as
// long as the process lives.
func launch(run *exec.Cmd) error {
	log, err := os.Create(filepath.Join(server.folder, "log"))
	if err != nil {
		return err
	}
	run.Stdout, run.Stderr = log, log
	server.ended = make(chan struct{})
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer log.Close()
		err := run.Start()
		if err == nil {
			server.pid = run.Process.Pid
		}
		started <- err
		if err == nil {
			_ = run.Wait() // how it ended is of no interest
		}
		close(server.ended)
	}()
	if err := <-started; err != nil {
		return err
	}
	db, err := sql.Open("pgx", address("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	for deadline := time.Now().Add(startWithin); ; time.Sleep(10 * time.Millisecond) {
		err := db.Ping()
		if err == nil {
			return nil
		}
		select {
		case <-server.ended:
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("the server ended: %s", text)
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the server does not answer: %w", err)
		}
	}
}

func stopServer() {
	if server.folder == "" {
		return
	}
	if server.pid != 0 {
		_ = syscall.Kill(server.pid, syscall.SIGQUIT)
		<-server.ended
	}
	_ = os.RemoveAll(server.folder)
}

// removeOrphans removes the folders of test processes that were killed, or
// that did not call Main.
func removeOrphans() {
	found, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	for _, folder := range found {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), folderPrefix), "-")
		pid, err := strconv.Atoi(owner)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(folder)
		}
	}
}
